#include "server/raftstore/transport/raft_sender.h"

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "proto/tikvpb.pb.h"

namespace tikv::server {
namespace {

constexpr std::string_view kBatchRaft = "/tikvpb.Tikv/BatchRaft";
constexpr size_t kMaxBatchMessages = 256;
constexpr size_t kMaxBatchBytes = size_t{8} << 20;
// What may wait while the stream is being opened.
constexpr size_t kMaxWaiting = 4096;
constexpr size_t kMaxWaitingBytes = size_t{64} << 20;
constexpr rpc::StreamOptions kStreamOptions{.max_pending_bytes = size_t{64} << 20};
constexpr Duration kReopenInterval = std::chrono::milliseconds(300);
constexpr Duration kReportInterval = std::chrono::seconds(1);

}  // namespace

struct RaftSender::Connection {
  std::vector<raft_serverpb::RaftMessage> waiting;
  size_t waiting_bytes = 0;  // Counted while there is no stream.
  std::shared_ptr<rpc::ClientStream> stream;
  void Drop() {
    waiting.clear();
    waiting_bytes = 0;
  }
  bool opening = false;
  bool listed = false;  // In pending_.
  MonotonicTime last_open{INT64_MIN / 2};
  MonotonicTime last_report{INT64_MIN / 2};
};

// Hears of the end of a stream, on the strand.  `sender` is gone once the strand has stopped.
class RaftSender::Handler : public rpc::ClientStreamHandler {
 public:
  Handler(RaftSender* sender, StoreId store, std::weak_ptr<Connection> connection)
      : sender_(sender), store_(store), connection_(std::move(connection)) {}
  void OnMessage(std::string_view) override {}
  void OnClosed(const absl::Status& status) override {
    if (auto connection = connection_.lock()) sender_->OnClosed(store_, connection, status);
  }

 private:
  RaftSender* sender_;
  StoreId store_;
  std::weak_ptr<Connection> connection_;
};

RaftSender::RaftSender(rpc::ChannelPool* channels, StoreAddresses* addresses, Executor* strand,
                       Clock* clock, log::Logger log, std::function<void(StoreId)> on_unreachable)
    : channels_(channels),
      addresses_(addresses),
      strand_(strand),
      clock_(clock),
      log_(std::move(log)),
      on_unreachable_(std::move(on_unreachable)) {}

RaftSender::~RaftSender() = default;

void RaftSender::Send(raft_serverpb::RaftMessage message) {
  const uint64_t store = message.to_peer().store_id();
  auto& connection = connections_[store];
  if (connection == nullptr) connection = std::make_shared<Connection>();
  if (connection->stream == nullptr) {
    connection->waiting_bytes += message.ByteSizeLong();
  } else if (connection->waiting.size() >= kMaxWaiting) {
    // More regions than that share the store: what a tick makes them say must not be lost.
    FlushTo(StoreId(store), connection);
  }
  if (connection->waiting.size() >= kMaxWaiting || connection->waiting_bytes > kMaxWaitingBytes) {
    return Lost(StoreId(store), connection.get());
  }
  connection->waiting.push_back(std::move(message));
  if (connection->listed) return;
  connection->listed = true;
  pending_.push_back(store);
}

void RaftSender::Flush() {
  if (pending_.empty()) return;
  std::vector<uint64_t> pending = std::move(pending_);
  pending_.clear();
  for (const uint64_t store : pending) {
    const std::shared_ptr<Connection> connection = connections_.at(store);
    connection->listed = false;
    if (connection->stream != nullptr) {
      FlushTo(StoreId(store), connection);
    } else {
      Open(StoreId(store), connection);
    }
  }
}

void RaftSender::FlushTo(StoreId store, const std::shared_ptr<Connection>& connection) {
  std::vector<raft_serverpb::RaftMessage> messages = std::move(connection->waiting);
  connection->Drop();
  tikvpb::BatchRaftMessage batch;
  size_t bytes = 0;
  auto send = [&] {
    batch.set_last_observed_time(static_cast<uint64_t>(clock_->Wall().nanos));
    if (!connection->stream->Send(rpc::SerializeBytes(batch))) Lost(store, connection.get());
    batch.Clear();
    bytes = 0;
  };
  for (raft_serverpb::RaftMessage& message : messages) {
    bytes += message.ByteSizeLong();
    *batch.add_msgs() = std::move(message);
    if (bytes >= kMaxBatchBytes || static_cast<size_t>(batch.msgs_size()) >= kMaxBatchMessages) {
      send();
    }
  }
  if (batch.msgs_size() > 0) send();
}

void RaftSender::Open(StoreId store, const std::shared_ptr<Connection>& connection) {
  if (connection->opening) return;
  const MonotonicTime now = clock_->Now();
  if (now - connection->last_open < kReopenInterval) {
    connection->Drop();
    return Lost(store, connection.get());
  }
  connection->opening = true;
  connection->last_open = now;
  addresses_->Find(store, [this, store, weak = std::weak_ptr(connection)](auto address) {
    if (auto alive = weak.lock()) OnAddress(store, alive, std::move(address));
  });
}

void RaftSender::OnAddress(StoreId store, const std::shared_ptr<Connection>& connection,
                           absl::StatusOr<std::string> address) {
  connection->opening = false;
  if (!address.ok()) {
    LOG_WARN(log_, "no address of a store", {"store_id", store.value},
             {"error", Message(address.status())});
    connection->Drop();
    return Lost(store, connection.get());
  }
  const std::shared_ptr<rpc::Channel> channel = channels_->Get(*address);
  channel->ResetBackoff();
  rpc::CallOptions options;
  options.runner = strand_;
  connection->stream =
      channel->OpenStream(kBatchRaft, std::move(options),
                          std::make_unique<Handler>(this, store, connection), kStreamOptions);
  LOG_INFO(log_, "raft stream to store", {"store_id", store.value}, {"address", *address});
  FlushTo(store, connection);
}

void RaftSender::OnClosed(StoreId store, const std::shared_ptr<Connection>& connection,
                          const absl::Status& status) {
  LOG_INFO(log_, "raft stream ended", {"store_id", store.value}, {"reason", Message(status)});
  connection->stream = nullptr;
  Lost(store, connection.get());
}

void RaftSender::Lost(StoreId store, Connection* connection) {
  const MonotonicTime now = clock_->Now();
  if (now - connection->last_report < kReportInterval) return;
  connection->last_report = now;
  // Not from inside whatever the store is doing.
  strand_->Post([this, store] { on_unreachable_(store); });
}

}  // namespace tikv::server
