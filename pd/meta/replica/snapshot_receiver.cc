#include "pd/meta/replica/snapshot_receiver.h"

#include "lib/base/status.h"
#include "pd/meta/replica/snapshot_file.h"

namespace tikv::pd::meta {
namespace {

constexpr size_t kMaxQueuedBytes = 8 << 20;

using Received = std::function<void(eraftpb::Message, std::string)>;

// The file being written; lives on the `files` strand but for the two counters.
class Writing : public std::enable_shared_from_this<Writing> {
 public:
  Writing(rpc::ServerStream stream, FileSystem* fs, Executor* files, std::string dir,
          Received received)
      : stream_(std::move(stream)),
        fs_(fs),
        files_(files),
        dir_(std::move(dir)),
        received_(std::move(received)) {}

  void Post(std::string message) {
    const size_t bytes = message.size();
    if (queued_.fetch_add(bytes) + bytes > kMaxQueuedBytes) stream_.Pause();
    files_->Post([self = shared_from_this(), message = std::move(message), bytes]() mutable {
      self->Take(std::move(message));
      if (self->queued_.fetch_sub(bytes) - bytes <= kMaxQueuedBytes / 2) self->stream_.Resume();
    });
  }

  // The stream is over; what is not complete is dropped.
  void End() {
    files_->Post([self = shared_from_this()] {
      if (self->file_ == nullptr || self->complete_) return;
      self->file_ = nullptr;
      self->fs_->Remove(self->path_).IgnoreError();
    });
  }

 private:
  void Take(std::string message) {
    if (failed_ || complete_) return;
    absl::Status status = file_ == nullptr ? Open(message) : Append(message);
    if (status.ok()) return;
    failed_ = true;
    stream_.Finish(status);
  }

  absl::Status Open(const std::string& message) {
    if (!message_.ParseFromString(message)) {
      return InvalidArgument("the head of a snapshot does not parse");
    }
    RETURN_IF_ERROR(fs_->CreateDirs(dir_));
    // Never the file of one before, sent again because its answer was lost: that one may be being
    // installed just now.
    for (int n = 0; n == 0 || fs_->Exists(path_); ++n) {
      path_ = JoinPath(dir_, fmt::format("{:x}-{}-{}.snap", message_.from(),
                                         message_.snapshot().metadata().index(), n));
    }
    ASSIGN_OR_RETURN(file_, fs_->Open(path_, OpenOptions::Replace()));
    return absl::OkStatus();
  }

  absl::Status Append(const std::string& chunk) {
    if (!ChunkIsIntact(chunk)) return InvalidArgument("a chunk of a snapshot is damaged");
    RETURN_IF_ERROR(file_->Append(chunk));
    if (!ChunkIsLast(chunk)) return absl::OkStatus();
    RETURN_IF_ERROR(file_->Sync());
    RETURN_IF_ERROR(fs_->SyncDir(dir_));
    complete_ = true;
    received_(std::move(message_), path_);
    stream_.Finish(absl::OkStatus());
    return absl::OkStatus();
  }

  const rpc::ServerStream stream_;
  FileSystem* const fs_;
  Executor* const files_;
  const std::string dir_;
  const Received received_;
  std::atomic<size_t> queued_{0};
  eraftpb::Message message_;
  std::string path_;
  std::unique_ptr<File> file_;
  bool complete_ = false;
  bool failed_ = false;
};

class Receiver : public rpc::StreamHandler {
 public:
  explicit Receiver(std::shared_ptr<Writing> writing) : writing_(std::move(writing)) {}
  void OnMessage(std::string_view message) override { writing_->Post(std::string(message)); }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override { writing_->End(); }

 private:
  std::shared_ptr<Writing> writing_;
};

}  // namespace

std::unique_ptr<rpc::StreamHandler> NewSnapshotReceiver(rpc::ServerStream stream, FileSystem* fs,
                                                        Executor* files, const std::string& dir,
                                                        Received received) {
  return std::make_unique<Receiver>(
      std::make_shared<Writing>(std::move(stream), fs, files, dir, std::move(received)));
}

}  // namespace tikv::pd::meta
