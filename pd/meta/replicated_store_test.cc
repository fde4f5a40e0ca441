// Three members on one machine: who may change what around a change of leadership.
#include "pd/meta/replicated_store.h"

#include <gtest/gtest.h>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/sim/file_system.h"
#include "lib/sim/scheduler.h"

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
      if (it != network_->receivers.end()) it->second->OnFrame(from_, frame);
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

}  // namespace
}  // namespace tikv::pd::meta
