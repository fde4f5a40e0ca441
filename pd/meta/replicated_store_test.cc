// Three members on one machine: who may change what around a change of leadership.
#include "pd/meta/replicated_store.h"

#include <gtest/gtest.h>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/sim/file_system.h"
#include "lib/sim/scheduler.h"
#include "pd/meta/mvcc/view.h"
#include "pd/meta/replica/log_storage.h"

namespace tikv::pd::meta {
namespace {

using std::chrono::seconds;

// Frames go straight to the receivers.
class Network {
 public:
  class Port : public Transport {
   public:
    Port(Network* network, uint64_t from) : network_(network), from_(from) {}
    void SetPeers(const PeerUrls&) override {}
    void Send(uint64_t to, const Frame& frame) override {
      auto it = network_->receivers.find(to);
      if (it != network_->receivers.end()) {
        it->second->OnFrame(from_, frame);
      } else if (network_->on_lost) {
        network_->on_lost(to, frame);
      }
    }
    void SendSnapshot(const eraftpb::Message&, std::shared_ptr<const engine::Snapshot>,
                      std::function<void(bool)> done) override {
      done(false);
    }

   private:
    Network* const network_;
    const uint64_t from_;
  };
  std::map<uint64_t, TransportReceiver*> receivers;
  std::function<void(uint64_t to, const Frame& frame)> on_lost;
};

struct Node {
  Node(uint64_t id, sim::ManualClock* clock, Network* network)
      : sim(clock, Random(id, "node")), fs(Random(id, "fs")), port(network, id) {
    auto opened = Storage::Open(
        &fs, "/pd", [](const std::string&) { return engine::NewMemEngine(nullptr); }, id);
    CHECK(opened.ok()) << opened.status();
    storage = *std::move(opened);
    Identity identity{id, 7, {}};
    for (uint64_t member : {1, 2, 3}) identity.members.emplace_back().set_id(member);
    CHECK(storage->Initialize(identity, /*bootstrap=*/true).ok());
    StoreDeps deps;
    deps.clock = clock;
    deps.fs = &fs;
    deps.strand = strand.get();
    deps.watch_strand = watch_strand.get();
    deps.transport = &port;
    deps.storage = storage.get();
    deps.on_fatal = [](const absl::Status& status) { FAIL() << status; };
    auto created = ReplicatedStore::Create({}, deps, id);
    CHECK(created.ok()) << created.status();
    store = *std::move(created);
    network->receivers[id] = &store->replica();
    store->Start();
  }

  sim::Scheduler sim;
  std::unique_ptr<Executor> strand = sim.NewStrand("meta"), watch_strand = sim.NewStrand("watch");
  sim::SimFileSystem fs;
  Network::Port port;
  std::unique_ptr<Storage> storage;
  std::unique_ptr<ReplicatedStore> store;
};

class ReplicatedStoreTest : public testing::Test {
 protected:
  ReplicatedStoreTest() {
    for (uint64_t id : {1, 2, 3}) nodes_[id] = std::make_unique<Node>(id, &clock_, &network_);
  }

  // Any member but this one.
  Node* Other(const Node* node) { return nodes_[node == nodes_[1].get() ? 2 : 1].get(); }
  static Frame RaftFrame(const eraftpb::Message& message) {
    return {.type = FrameType::kRaft, .payload = message.SerializeAsString()};
  }
  void RunFor(Duration time) {
    for (Duration step = std::chrono::milliseconds(10); time > Duration::zero(); time -= step) {
      clock_.Advance(step);
      for (auto& [id, node] : nodes_) node->sim.RunFor(Duration::zero());
    }
  }

  // All but `frozen` run until one of them leads.
  Node* Elect(const Node* frozen) {
    for (int i = 0; i < 2'000; ++i) {
      clock_.Advance(std::chrono::milliseconds(10));
      for (auto& [id, node] : nodes_) {
        if (node.get() != frozen) node->sim.RunFor(Duration::zero());
      }
      for (auto& [id, node] : nodes_) {
        if (node.get() != frozen && node->store->IsLeader()) return node.get();
      }
    }
    return nullptr;
  }
  void RunAll() {
    for (int i = 0; i < 100; ++i) {
      for (auto& [id, node] : nodes_) node->sim.RunReady();
    }
  }
  static std::string Value(Node* node, const std::string& key) {
    auto found = node->store->RangeLocal(KeyRange::Single(key), {});
    return found.ok() && !found->kvs.empty() ? found->kvs[0].value : "";
  }

  sim::ManualClock clock_;
  Network network_;
  std::map<uint64_t, std::unique_ptr<Node>> nodes_;
};

// A process that was stopped for a while finds the next leader's messages waiting, and its own
// parts go on as if they led.
TEST_F(ReplicatedStoreTest, AGuardedChangeOfAFrozenLeaderNeverReachesTheNextOne) {
  Node* old = Elect(nullptr);
  ASSERT_NE(old, nullptr);
  const uint64_t term = old->store->leader_term();
  Node* next = Elect(old);
  ASSERT_NE(next, nullptr);
  ASSERT_EQ(old->store->leader_term(), term) << "it knows of nothing";

  Txn txn;
  txn.then.push_back(Op::Put("bound", "old"));
  txn.leader_term = term;
  absl::Status answer = absl::UnknownError("none");
  old->store->Commit(std::move(txn),
                     [&](absl::StatusOr<TxnResult> result) { answer = result.status(); });
  RunAll();
  EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
  EXPECT_EQ(Value(next, "bound"), "");
}

// It could not be installed: a snapshot comes with a file, on a stream of its own.
TEST_F(ReplicatedStoreTest, ASnapshotAmongTheMessagesIsIgnored) {
  Node* leader = Elect(nullptr);
  ASSERT_NE(leader, nullptr);
  Node* follower = Other(leader);
  eraftpb::Message message;
  message.set_msg_type(eraftpb::MsgSnapshot);
  message.set_from(leader->store->replica().member_id());
  message.set_to(follower->store->replica().member_id());
  message.set_term(leader->store->leader_term());
  auto* metadata = message.mutable_snapshot()->mutable_metadata();
  metadata->set_index(1'000);
  metadata->set_term(message.term());
  for (uint64_t id : {1, 2, 3}) metadata->mutable_conf_state()->add_voters(id);
  follower->store->replica().OnFrame(message.from(), RaftFrame(message));
  RunAll();  // Fails the test if the member ends.
  EXPECT_EQ(Value(leader, "/pd/cluster_id"), Value(follower, "/pd/cluster_id"));
}

TEST_F(ReplicatedStoreTest, AReadWhoseEntryNeverArrivesTimesOut) {
  Node* leader = Elect(nullptr);
  ASSERT_NE(leader, nullptr);
  RunFor(seconds(1));
  Node* follower = Other(leader);
  const uint64_t leader_id = leader->store->replica().member_id();
  const uint64_t follower_id = follower->store->replica().member_id();
  absl::Status answer = absl::UnknownError("none");
  // The leader's answer arrives, and nothing else any more.
  network_.receivers.erase(follower_id);
  network_.on_lost = [&](uint64_t to, const Frame& frame) {
    eraftpb::Message message;
    if (to != follower_id || frame.type != FrameType::kRaft) return;
    if (!message.ParseFromString(frame.payload)) return;
    if (message.msg_type() != eraftpb::MsgReadIndexResp) return;
    message.set_index(message.index() + 1);  // As if a change had been committed meanwhile.
    follower->store->replica().OnFrame(leader_id, RaftFrame(message));
  };
  follower->store->replica().Linearize([&](absl::Status status) { answer = status; });
  RunFor(seconds(9));
  EXPECT_TRUE(absl::IsUnavailable(answer)) << answer;
}

// The engine is not synced with every change: after a power cut it may be behind the log.
TEST(StorageTest, ForcingANewClusterKeepsWhatTheLogHoldsAsCommitted) {
  sim::SimFileSystem fs(Random(1, "fs"));
  auto storage = *Storage::Open(
      &fs, "/pd", [](const std::string&) { return engine::NewMemEngine(nullptr); }, 1);
  Identity identity{1, 7, {}};
  for (uint64_t member : {1, 2, 3}) identity.members.emplace_back().set_id(member);
  ASSERT_TRUE(storage->Initialize(identity, /*bootstrap=*/true).ok());
  raftlog::LogBatch batch;
  for (uint64_t index : {2, 3}) {
    etcdserverpb::PutRequest put;
    put.set_key("k");
    put.set_value(index == 2 ? "committed" : "perhaps not");
    eraftpb::Entry entry;
    entry.set_index(index);
    entry.set_term(1);
    entry.set_data(EncodeCommand(index, CommandType::kPut, put));
    batch.AppendEntry(kRaftGroup, index, 1, entry.SerializeAsString());
  }
  batch.SetHardState(kRaftGroup, {1, 0, 2});
  ASSERT_TRUE(storage->log()->Append(&batch, true).ok());

  ASSERT_TRUE(storage->ForceNewCluster().ok());
  auto state = storage->machine()->TakeSnapshot();
  auto kv = View(*state.snapshot, state.revision).Get("k");
  ASSERT_TRUE(kv.ok() && kv->has_value());
  EXPECT_EQ((*kv)->value, "committed");
  EXPECT_EQ(storage->log()->LastIndex(kRaftGroup), 2u);
  EXPECT_EQ(storage->machine()->conf_state().voters_size(), 1);
}

TEST(StorageTest, ASnapshotTakesTheEntriesOfAnotherHistoryAway) {
  sim::SimFileSystem fs(Random(1, "fs"));
  auto storage = *Storage::Open(
      &fs, "/pd", [](const std::string&) { return engine::NewMemEngine(nullptr); }, 1);
  ASSERT_TRUE(storage->Initialize({1, 7, {}}, /*bootstrap=*/true).ok());
  raftlog::LogBatch batch;
  for (uint64_t index = 2; index <= 9; ++index) batch.AppendEntry(kRaftGroup, index, 2, "old");
  ASSERT_TRUE(storage->log()->Append(&batch, true).ok());
  BeginLogAt(*storage->log(), 5, 3, &batch);
  ASSERT_TRUE(storage->log()->Append(&batch, true).ok());
  EXPECT_EQ(storage->log()->LastIndex(kRaftGroup), 5u);
  EXPECT_EQ(*storage->log()->Term(kRaftGroup, 5), 3u);
  EXPECT_EQ(storage->log()->TruncatedIndex(kRaftGroup), 5u);
}

}  // namespace
}  // namespace tikv::pd::meta
