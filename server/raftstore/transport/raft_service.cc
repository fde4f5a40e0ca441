#include "server/raftstore/transport/raft_service.h"

#include <utility>

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "proto/tikvpb.pb.h"

namespace tikv::server {
namespace {

using raft_serverpb::Done;
using raft_serverpb::RaftMessage;

absl::Status StoreNotMatch(const RaftMessage& message, StoreId mine) {
  return InvalidArgument("store not match: request to store {}, this is store {}",
                         message.to_peer().store_id(), mine.value);
}

// Common to both: checks the store and hands over.
class Intake {
 public:
  Intake(StoreId store, std::shared_ptr<RaftServiceSinks> sinks, rpc::TypedStream<Done> stream)
      : store_(store), sinks_(std::move(sinks)), stream_(std::move(stream)) {}

  void Take(std::vector<RaftMessage> messages) {
    for (const RaftMessage& message : messages) {
      if (message.to_peer().store_id() == store_.value) continue;
      return stream_.Finish(StoreNotMatch(message, store_));
    }
    sinks_->messages(std::move(messages));
  }
  void End() { stream_.Finish(absl::OkStatus()); }

 private:
  const StoreId store_;
  std::shared_ptr<RaftServiceSinks> sinks_;
  rpc::TypedStream<Done> stream_;
};

// Parses for itself, so that entries are moved on instead of copied.
class BatchRaftHandler : public rpc::StreamHandler {
 public:
  BatchRaftHandler(Intake intake, rpc::ServerStream stream)
      : intake_(std::move(intake)), stream_(std::move(stream)) {}
  void OnMessage(std::string_view bytes) override {
    tikvpb::BatchRaftMessage batch;
    absl::Status s = rpc::ParseMessage(bytes, "/tikvpb.Tikv/BatchRaft", &batch);
    if (!s.ok()) return stream_.Finish(std::move(s));
    intake_.Take({std::make_move_iterator(batch.mutable_msgs()->begin()),
                  std::make_move_iterator(batch.mutable_msgs()->end())});
  }
  void OnHalfClose() override { intake_.End(); }
  void OnClosed(const absl::Status&) override {}

 private:
  Intake intake_;
  rpc::ServerStream stream_;
};

class RaftHandler : public rpc::TypedStreamHandler<RaftMessage> {
 public:
  explicit RaftHandler(Intake intake) : intake_(std::move(intake)) {}
  void OnMessage(const RaftMessage& message) override { intake_.Take({message}); }
  void OnHalfClose() override { intake_.End(); }
  void OnClosed(const absl::Status&) override {}

 private:
  Intake intake_;
};

class SnapshotHandler : public rpc::TypedStreamHandler<raft_serverpb::SnapshotChunk> {
 public:
  SnapshotHandler(StoreId store, std::shared_ptr<SnapshotReceiver> receiver,
                  rpc::TypedStream<Done> stream)
      : store_(store), receiver_(std::move(receiver)), stream_(std::move(stream)) {}

  void OnMessage(const raft_serverpb::SnapshotChunk& chunk) override {
    if (session_ != nullptr) return session_->Add(chunk.data());
    if (!chunk.has_message()) {
      return stream_.Finish(InvalidArgument("a snapshot begins with its message"));
    }
    if (chunk.message().to_peer().store_id() != store_.value) {
      return stream_.Finish(StoreNotMatch(chunk.message(), store_));
    }
    auto session = receiver_->Begin(chunk.message(), stream_);
    if (!session.ok()) return stream_.Finish(session.status());
    session_ = *std::move(session);
  }
  void OnHalfClose() override {
    if (session_ != nullptr) return session_->End();
    stream_.Finish(InvalidArgument("an empty snapshot stream"));
  }
  void OnClosed(const absl::Status&) override {
    if (session_ != nullptr) session_->Abandon();
  }

 private:
  const StoreId store_;
  std::shared_ptr<SnapshotReceiver> receiver_;
  rpc::TypedStream<Done> stream_;
  std::shared_ptr<SnapshotReceiver::Session> session_;
};

}  // namespace

void RegisterRaftService(rpc::Server* server, StoreId store, RaftServiceSinks sinks,
                         log::Logger log) {
  auto shared = std::make_shared<RaftServiceSinks>(std::move(sinks));
  server->RegisterStream(
      "/tikvpb.Tikv/BatchRaft", [=](rpc::ServerStream stream, const rpc::CallContext& context) {
        LOG_INFO(log, "raft stream from a store", {"peer", context.peer()});
        Intake intake(store, shared, rpc::TypedStream<Done>(stream));
        return std::make_unique<BatchRaftHandler>(std::move(intake), std::move(stream));
      });
  rpc::Stream<RaftMessage, Done>(
      *server, "/tikvpb.Tikv/Raft", [=](rpc::TypedStream<Done> stream, const rpc::CallContext&) {
        return std::make_unique<RaftHandler>(Intake(store, shared, std::move(stream)));
      });
  rpc::Stream<raft_serverpb::SnapshotChunk, Done>(
      *server, "/tikvpb.Tikv/Snapshot",
      [=](rpc::TypedStream<Done> stream, const rpc::CallContext&) {
        return std::make_unique<SnapshotHandler>(store, shared->snapshots, std::move(stream));
      });
}

}  // namespace tikv::server
