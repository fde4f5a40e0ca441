#include "server/raftstore/store/raft_store.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/raft/event_log.h"
#include "server/raftstore/store/background.h"

namespace tikv::server {
namespace {

RegionError Closing() { return RegionError::FromMessage("TiKV is Closing"); }
constexpr Duration kReadPatience = std::chrono::minutes(1);
constexpr size_t kMessageBytes = 256;  // What a request costs beside its payload.

}  // namespace

// Elections and membership at Info; the rest of what Raft says is for debugging.
class RaftStore::EventLog : public raft::EventLog {
 public:
  explicit EventLog(log::Logger logger) : logger_(std::move(logger)) {}
  bool Enabled(Level level) const override { return logger_.Enabled(ToLog(level)); }
  void Write(Level level, const std::string& text) override {
    TIKV_LOG(logger_, ToLog(level), text);
  }

 private:
  static log::Level ToLog(Level level) {
    switch (level) {
      case Level::kDebug:
        return log::Level::kDebug;
      case Level::kInfo:
        return log::Level::kInfo;
      case Level::kWarn:
        return log::Level::kWarn;
      default:
        return log::Level::kError;
    }
  }
  log::Logger logger_;
};

RaftStore::RaftStore(RaftStoreOptions options)
    : options_(std::move(options)),
      own_registry_(options_.metrics == nullptr ? std::make_unique<metrics::Registry>() : nullptr),
      metrics_(options_.metrics == nullptr ? own_registry_.get() : options_.metrics,
               options_.clock),
      config_(options_.config),
      raft_(options_.raft_thread),
      events_(std::make_unique<EventLog>(options_.logger)),
      random_(options_.seed, "raftstore"),
      delegates_(options_.store),
      addresses_(options_.pd, options_.raft_thread),
      sender_(options_.channels, &addresses_, options_.raft_thread, options_.clock, options_.logger,
              [this](StoreId store) {
                store_.OnUnreachable(store);
                ScheduleRound();
              }),
      snapshot_sender_(
          options_.channels, &addresses_, options_.snapshot_thread, options_.clock, options_.config,
          [this](RegionId region, PeerId to, bool success) {
            --stats_.sending_snapshots;
            Enter([=, this] { store_.OnSnapshotSent(region, to, success); });
          },
          options_.logger),
      snapshot_receiver_(std::make_shared<SnapshotReceiver>(
          options_.engine, options_.fs, options_.snapshot_thread, options_.config,
          [this](raft_serverpb::RaftMessage message, std::shared_ptr<SnapshotFiles> files) {
            Enter([this, message = std::move(message), files = std::move(files)]() mutable {
              store_.OnMessage(std::move(message), std::move(files), options_.clock->Now());
            });
          },
          [this](raft_serverpb::RaftMessage message, Callback<bool> answer) {
            Enter([this, message = std::move(message), answer = std::move(answer)]() mutable {
              std::move(answer)(store_.MayTakeSnapshot(message));
            });
          },
          options_.logger)),
      store_(PeerContext{.config = &config_,
                         .store = options_.store,
                         .engine = options_.engine,
                         .log = options_.log,
                         .random = &random_,
                         .delegates = &delegates_,
                         .events = events_.get(),
                         .metrics = &metrics_},
             this) {}

RaftStore::~RaftStore() { store_.FailEverything(&Closing); }

absl::Status RaftStore::Start() {
  RETURN_IF_ERROR(snapshot_receiver_->CleanFolder());
  RETURN_IF_ERROR(store_.Recover(options_.clock->Now()));
  LOG_INFO(options_.logger, "raftstore recovered", {"regions", store_.region_count()});
  ListenToPd();
  Enter([this] { Tick(); });
  return absl::OkStatus();
}

void RaftStore::Reconfigure(const RaftStoreConfig& config) {
  Enter([this, config = RaftStoreConfig(config)]() mutable {
    // Replicas were made with these.
    config.tick_interval = config_.tick_interval;
    config.heartbeat_ticks = config_.heartbeat_ticks;
    config.election_ticks = config_.election_ticks;
    config_ = std::move(config);
  });
  options_.snapshot_thread->Post([this, config] {
    snapshot_sender_.SetLimits(config.max_sending_snapshots, config.snapshot_bytes_per_second);
  });
  snapshot_receiver_->SetLimit(config.max_receiving_snapshots);
}

void RaftStore::SetDiskUsage(DiskUsage usage) {
  snapshot_receiver_->Refuse(usage == DiskUsage::kAlreadyFull);
  Enter([this, usage] { store_.SetDiskUsage(usage); });
}

void RaftStore::ListenToPd() {
  options_.pd->SetRegionHeartbeatHandler(
      [this](const pdpb::RegionHeartbeatResponse& order) {
        Enter([this, order] { store_.OnPdOrder(order); });
      },
      [this] { Enter([this] { store_.OnPdReconnected(); }); });
}

void RaftStore::RegisterServices(rpc::Server* server) {
  RaftServiceSinks sinks;
  sinks.snapshots = snapshot_receiver_;
  sinks.messages = [this](std::vector<raft_serverpb::RaftMessage> messages) {
    size_t bytes = 0;
    for (const auto& message : messages) bytes += message.ByteSizeLong();
    // Also while closing: the others may need this one's votes to the last.
    if (!Reserve(bytes)) return;  // Lost, as on a bad network.
    stats_.messages_received += messages.size();
    Enter([this, bytes, messages = std::move(messages)]() mutable {
      Leave(bytes);
      const MonotonicTime now = options_.clock->Now();
      for (auto& message : messages) store_.OnMessage(std::move(message), nullptr, now);
    });
  };
  RegisterRaftService(server, options_.store, std::move(sinks), options_.logger);
}

RegionError RaftStore::Admit(size_t bytes) {
  if (closing_.load(std::memory_order_relaxed)) return Closing();
  if (Reserve(bytes)) return {};
  return RegionError::ServerIsBusy("raftstore is busy");
}

bool RaftStore::Reserve(size_t bytes) {
  const size_t cost = bytes + kMessageBytes;
  const bool many = queued_.fetch_add(1) >= options_.config.max_inbox_messages;
  // One request of any size may always wait.
  const bool large = queued_bytes_.fetch_add(cost) >= options_.config.max_inbox_bytes;
  if (!many && !large) return true;
  Leave(bytes);
  ++stats_.refused;
  return false;
}

void RaftStore::Leave(size_t bytes) {
  --queued_;
  queued_bytes_.fetch_sub(bytes + kMessageBytes);
}

void RaftStore::Enter(Task task) {
  raft_->Post([this, task = std::move(task)]() mutable {
    std::move(task)();
    ScheduleRound();
  });
}

void RaftStore::ScheduleRound() {
  if (round_scheduled_) return;
  round_scheduled_ = true;
  raft_->Post([this] { Round(); });
}

void RaftStore::Round() {
  round_scheduled_ = false;
  ++stats_.rounds;
  store_.Round(options_.clock->Now());
}

void RaftStore::Tick() {
  // The next one a whole interval after this one began its work: a stall is not made up for,
  // since a burst of ticks would end leases and elections early.
  raft_->PostAfter(options_.config.tick_interval, [this] { Tick(); });
  store_.Tick(options_.clock->Now());
  stats_.regions = store_.region_count();
  stats_.leaders = store_.leader_count();
  stats_.receiving_snapshots = snapshot_receiver_->sessions();
  ScheduleRound();
}

bool RaftStore::TryLocalRead(const RequestHeader& header, ReadMode mode, RegionView* view) {
  std::shared_ptr<const RegionRange> range = delegates_.Find(header, options_.clock->Now());
  if (range == nullptr) {
    metrics_.local_read_rejects.Add();
    return false;
  }
  std::shared_ptr<const engine::Snapshot> snapshot;
  if (mode == ReadMode::kSnapshot) {
    // After the check: an earlier one may lack what another leader wrote before this one's lease
    // began.  And checked again: the region may have been cut or deleted in between.
    snapshot = options_.engine->GetSnapshot();
    if (!range->current.load(std::memory_order_acquire)) return false;
  }
  metrics_.local_reads.Add();
  const engine::Reader* reader = options_.engine;
  if (snapshot != nullptr) reader = snapshot.get();
  *view = RegionView(std::move(range), reader, std::move(snapshot));
  return true;
}

void RaftStore::AsyncRead(const RequestHeader& header, Callback<ReadResult> done) {
  if (RegionError error = Admit(0)) return std::move(done)(ReadResult{std::move(error), {}});
  ++stats_.reads;
  Enter([this, header = RequestHeader(header), done = std::move(done)]() mutable {
    Leave(0);
    const MonotonicTime now = options_.clock->Now();
    // Who does not say how long: an index that never comes must not be waited for until the end.
    header.deadline = std::min(header.deadline, now + kReadPatience);
    if (now > header.deadline) {
      return std::move(done)({RegionError::ServerIsBusy("deadline is exceeded"), {}});
    }
    store_.Read(header, now, std::move(done));
  });
}

void RaftStore::AsyncWrite(const RequestHeader& header, WriteCommand command,
                           Callback<WriteResult> done) {
  const size_t bytes = command.byte_size();
  if (RegionError error = Admit(bytes)) return std::move(done)(WriteResult{std::move(error), 0});
  ++stats_.writes;
  stats_.bytes_written += bytes;
  stats_.keys_written += command.operations();
  Enter([this, bytes, header, begin = options_.clock->Now(), command = std::move(command),
         done = std::move(done)]() mutable {
    Leave(bytes);
    metrics_.ObserveSince(begin, &metrics_.request_wait);
    if (header.deadline != MonotonicTime::Max() && options_.clock->Now() > header.deadline) {
      return std::move(done)({RegionError::ServerIsBusy("deadline is exceeded"), 0});
    }
    store_.Write(header, std::move(command), std::move(done));
  });
}

void RaftStore::SplitRegion(const RequestHeader& header, std::vector<std::string> keys,
                            Callback<SplitResult> done) {
  size_t bytes = 0;
  for (const std::string& key : keys) bytes += key.size();
  if (RegionError error = Admit(bytes)) return std::move(done)({std::move(error), {}});
  Enter([this, bytes, header, keys = std::move(keys), done = std::move(done)]() mutable {
    Leave(bytes);
    store_.SplitRegion(header, std::move(keys), std::move(done));
  });
}

void RaftStore::ListRegions(Callback<std::vector<RegionId>> done) {
  Enter([this, done = std::move(done)]() mutable { std::move(done)(store_.Regions()); });
}

void RaftStore::DescribeRegion(RegionId region, Callback<absl::StatusOr<RegionDetails>> done) {
  Enter([this, region, done = std::move(done)]() mutable {
    std::move(done)(store_.Describe(region));
  });
}

void RaftStore::RaftEntry(RegionId region, uint64_t index,
                          Callback<absl::StatusOr<eraftpb::Entry>> done) {
  Enter([this, region, index, done = std::move(done)]() mutable {
    std::move(done)(store_.RaftEntry(region, index));
  });
}

void RaftStore::HandLeadersOver(Callback<> done) {
  Enter([this, done = std::move(done)]() mutable {
    HandOverStep(options_.clock->Now() + config_.shutdown_transfer_timeout, std::move(done));
  });
}

// Goes on until the raft thread stops: the placement driver, which does not know, may send a leader
// here at any time.  Requests are served meanwhile, most of them by the name of the new leader.
void RaftStore::HandOverStep(MonotonicTime deadline, Callback<> done) {
  const size_t left = store_.TransferLeadersAway();
  ScheduleRound();
  if (done && (left == 0 || options_.clock->Now() >= deadline)) {
    LOG_INFO(options_.logger, "leaders handed over", {"left", left});
    std::move(done)();
    done = nullptr;
  }
  raft_->PostAfter(options_.config.tick_interval,
                   [this, deadline, done = std::move(done)]() mutable {
                     HandOverStep(deadline, std::move(done));
                   });
}

}  // namespace tikv::server
