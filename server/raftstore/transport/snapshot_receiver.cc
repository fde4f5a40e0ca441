#include "server/raftstore/transport/snapshot_receiver.h"

#include "lib/base/status.h"

namespace tikv::server {
namespace {

// Bounds of what waits for the disk: pause above, go on below.
constexpr size_t kHighWater = size_t{8} << 20;
constexpr size_t kLowWater = size_t{2} << 20;
constexpr std::string_view kPrefix = "recv_";

}  // namespace

SnapshotReceiver::SnapshotReceiver(engine::KvEngine* engine, FileSystem* fs, Executor* disk,
                                   const RaftStoreConfig& config, Deliver deliver,
                                   Precheck precheck, log::Logger log)
    : engine_(engine),
      fs_(fs),
      disk_(disk),
      dir_(config.snapshot_dir),
      max_sessions_(config.max_receiving_snapshots),
      deliver_(std::move(deliver)),
      precheck_(std::move(precheck)),
      log_(std::move(log)) {}

absl::Status SnapshotReceiver::CleanFolder() {
  RETURN_IF_ERROR(fs_->CreateDirs(dir_));
  ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(dir_));
  for (const std::string& name : names) {
    if (name.starts_with(kPrefix)) RETURN_IF_ERROR(RemoveAll(fs_, JoinPath(dir_, name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SnapshotReceiver::Session>> SnapshotReceiver::Begin(
    const raft_serverpb::RaftMessage& message, rpc::TypedStream<raft_serverpb::Done> stream) {
  raft_serverpb::RaftSnapshotData data;
  if (message.message().msg_type() != eraftpb::MessageType::MsgSnapshot ||
      !data.ParseFromString(message.message().snapshot().data()) ||
      data.region().id() != message.region_id()) {
    return InvalidArgument("a snapshot stream without a snapshot message");
  }
  if (refuse_) return Unavailable("the disk of this store is full");
  if (sessions_.fetch_add(1) >= max_sessions_) {
    --sessions_;
    return ResourceExhausted("{} snapshots are being received", max_sessions_.load());
  }
  const std::string dir =
      JoinPath(dir_, fmt::format("{}{}_{}", kPrefix, message.region_id(), next_.fetch_add(1)));
  auto builder = std::make_unique<SnapshotBuilder>(engine_, fs_, dir, data.region().start_key(),
                                                   data.region().end_key());
  LOG_INFO(log_, "receiving a snapshot", {"region_id", message.region_id()},
           {"index", message.message().snapshot().metadata().index()},
           {"from", message.from_peer().store_id()});
  auto session =
      std::make_shared<Session>(shared_from_this(), message, std::move(stream), std::move(builder));
  // While the first pieces come: a whole region is not sent to be thrown away.
  precheck_(message, [session, disk = disk_](bool wanted) mutable {
    disk->Post([session = std::move(session), wanted] {
      if (!wanted) session->Fail(Unavailable("the region's place is taken or being cleared"));
    });
  });
  return session;
}

SnapshotReceiver::Session::Session(std::shared_ptr<SnapshotReceiver> owner,
                                   raft_serverpb::RaftMessage message,
                                   rpc::TypedStream<raft_serverpb::Done> stream,
                                   std::unique_ptr<SnapshotBuilder> builder)
    : owner_(std::move(owner)),
      message_(std::move(message)),
      stream_(std::move(stream)),
      builder_(std::move(builder)) {}

SnapshotReceiver::Session::~Session() { --owner_->sessions_; }

void SnapshotReceiver::Session::Add(std::string chunk) {
  if (failed_) return;
  if (queued_bytes_.fetch_add(chunk.size()) + chunk.size() > kHighWater) stream_.Pause();
  owner_->disk_->Post([self = shared_from_this(), chunk = std::move(chunk)] {
    self->Write(chunk);
    // Not only on crossing the mark: the pause may come after everything before it was written,
    // and this chunk is then the last that can end it.
    const size_t left = self->queued_bytes_.fetch_sub(chunk.size()) - chunk.size();
    if (left <= kLowWater) self->stream_.Resume();
  });
}

void SnapshotReceiver::Session::Write(const std::string& chunk) {
  if (failed_) return;
  if (absl::Status s = builder_->Add(chunk); !s.ok()) Fail(s);
}

void SnapshotReceiver::Session::End() {
  owner_->disk_->Post([self = shared_from_this()] { self->Complete(); });
}

void SnapshotReceiver::Session::Complete() {
  if (failed_) return;
  auto files = builder_->Finish();
  if (!files.ok()) return Fail(files.status());
  LOG_INFO(owner_->log_, "received a snapshot", {"region_id", message_.region_id()},
           {"bytes", (*files)->bytes});
  owner_->deliver_(std::move(message_), *std::move(files));
  stream_.Send(raft_serverpb::Done());
  stream_.Finish(absl::OkStatus());
}

void SnapshotReceiver::Session::Fail(const absl::Status& status) {
  if (failed_.exchange(true)) return;
  builder_.reset();  // With its files.
  LOG_WARN(owner_->log_, "snapshot refused", {"region_id", message_.region_id()},
           {"error", Message(status)});
  stream_.Finish(status);
}

}  // namespace tikv::server
