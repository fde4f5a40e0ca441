#include "server/raftstore/transport/snapshot_sender.h"

#include <algorithm>

#include "lib/base/status.h"
#include "lib/rpc/typed.h"

namespace tikv::server {
namespace {

constexpr std::string_view kSnapshotPath = "/tikvpb.Tikv/Snapshot";
constexpr size_t kInFlight = size_t{4} << 20;
constexpr std::chrono::milliseconds kTimeout{600'000};

}  // namespace

// One snapshot on its way; a method per step, all on the strand.
class SnapshotSender::Transfer : public std::enable_shared_from_this<Transfer> {
 public:
  Transfer(SnapshotSender* owner, raft_serverpb::RaftMessage message,
           std::shared_ptr<const engine::Snapshot> data)
      : owner_(owner), message_(std::move(message)), data_(std::move(data)) {}

  RegionId region() const { return RegionId(message_.region_id()); }
  PeerId to() const { return PeerId(message_.to_peer().id()); }

  void Start() {
    owner_->addresses_->Find(
        StoreId(message_.to_peer().store_id()), [self = shared_from_this()](auto address) {
          self->owner_->strand_->Post([self, address = std::move(address)] {
            address.ok() ? self->Open(*address) : self->Finish(address.status());
          });
        });
  }

 private:
  class Handler : public rpc::ClientStreamHandler {
   public:
    explicit Handler(std::shared_ptr<Transfer> transfer) : transfer_(std::move(transfer)) {}
    void OnMessage(std::string_view) override { transfer_->accepted_ = true; }
    void OnDrained() override { transfer_->Pump(); }
    void OnClosed(const absl::Status& status) override {
      const bool lost = status.ok() && !transfer_->accepted_;
      transfer_->Finish(lost ? Unavailable("the stream ended before all was sent") : status);
    }

   private:
    std::shared_ptr<Transfer> transfer_;
  };

  void Open(const std::string& address) {
    raft_serverpb::RaftSnapshotData header;
    if (!header.ParseFromString(message_.message().snapshot().data())) {
      return Finish(Internal("snapshot header does not parse"));
    }
    reader_ = std::make_unique<SnapshotReader>(std::move(data_), header.region().start_key(),
                                               header.region().end_key());
    rpc::CallOptions options;
    options.timeout = kTimeout;
    options.runner = owner_->strand_;
    stream_ = owner_->channels_->Get(address)->OpenStream(
        kSnapshotPath, std::move(options), std::make_unique<Handler>(shared_from_this()));
    raft_serverpb::SnapshotChunk first;
    *first.mutable_message() = message_;
    stream_->Send(rpc::SerializeBytes(first));
    Pump();
  }

  // Sends until the stream has enough to do, the rate is used up, or all is sent.
  void Pump() {
    if (finished_ || pausing_ || half_closed_ || stream_ == nullptr) return;
    while (stream_->pending_bytes() < kInFlight) {
      if (next_.empty()) {
        const absl::StatusOr<bool> more = reader_->Next(&next_);
        if (!more.ok()) return Abort(more.status());
        if (!*more) {
          half_closed_ = true;
          return stream_->HalfClose();
        }
      }
      if (const Duration wait = owner_->Admit(next_.size()); wait.count() > 0) {
        pausing_ = true;
        owner_->strand_->PostAfter(wait, [self = shared_from_this()] {
          self->pausing_ = false;
          self->Pump();
        });
        return;
      }
      raft_serverpb::SnapshotChunk chunk;
      chunk.set_data(std::move(next_));
      next_.clear();
      if (!stream_->Send(rpc::SerializeBytes(chunk))) return;  // OnClosed says why.
    }
  }

  void Abort(const absl::Status& status) {
    stream_->Cancel();
    Finish(status);
  }

  void Finish(const absl::Status& status) {
    if (finished_) return;
    finished_ = true;
    reader_.reset();
    stream_.reset();
    owner_->Finished(shared_from_this(), status);
  }

  SnapshotSender* owner_;
  const raft_serverpb::RaftMessage message_;
  std::shared_ptr<const engine::Snapshot> data_;
  std::unique_ptr<SnapshotReader> reader_;
  std::shared_ptr<rpc::ClientStream> stream_;
  std::string next_;  // Read, not yet sent.
  bool accepted_ = false;
  bool pausing_ = false;
  bool half_closed_ = false;
  bool finished_ = false;
};

SnapshotSender::SnapshotSender(rpc::ChannelPool* channels, StoreAddresses* addresses,
                               Executor* strand, Clock* clock, const RaftStoreConfig& config,
                               Done done, log::Logger log)
    : channels_(channels),
      addresses_(addresses),
      strand_(strand),
      clock_(clock),
      max_active_(config.max_sending_snapshots),
      bytes_per_second_(static_cast<double>(config.snapshot_bytes_per_second)),
      done_(std::move(done)),
      log_(std::move(log)),
      refilled_(clock->Now()) {}

SnapshotSender::~SnapshotSender() = default;

void SnapshotSender::Send(raft_serverpb::RaftMessage message,
                          std::shared_ptr<const engine::Snapshot> data) {
  waiting_.push_back(std::make_shared<Transfer>(this, std::move(message), std::move(data)));
  StartNext();
}

void SnapshotSender::SetLimits(size_t max_active, uint64_t bytes_per_second) {
  max_active_ = max_active;
  bytes_per_second_ = static_cast<double>(bytes_per_second);
  StartNext();
}

void SnapshotSender::StartNext() {
  while (active_ < max_active_ && !waiting_.empty()) {
    ++active_;
    const std::shared_ptr<Transfer> transfer = std::move(waiting_.front());
    waiting_.pop_front();
    transfer->Start();
  }
}

void SnapshotSender::Finished(const std::shared_ptr<Transfer>& transfer,
                              const absl::Status& status) {
  --active_;
  LOG_INFO(log_, "sent a snapshot", {"region_id", transfer->region().value},
           {"to", transfer->to().value}, {"result", status.ok() ? "ok" : Message(status)});
  done_(transfer->region(), transfer->to(), status.ok());
  StartNext();
}

Duration SnapshotSender::Admit(size_t bytes) {
  if (bytes_per_second_ <= 0) return Duration::zero();  // No limit.
  const MonotonicTime now = clock_->Now();
  const double seconds = std::chrono::duration<double>(now - refilled_).count();
  refilled_ = now;
  // A quarter of a second of burst, or one chunk.
  const double most = std::max(bytes_per_second_ / 4, static_cast<double>(bytes));
  allowance_ = std::min(most, allowance_ + seconds * bytes_per_second_);
  if (allowance_ >= static_cast<double>(bytes)) {
    allowance_ -= static_cast<double>(bytes);
    return Duration::zero();
  }
  const double missing = (static_cast<double>(bytes) - allowance_) / bytes_per_second_;
  return std::chrono::duration_cast<Duration>(std::chrono::duration<double>(missing)) +
         std::chrono::milliseconds(1);
}

}  // namespace tikv::server
