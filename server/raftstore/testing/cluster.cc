#include "server/raftstore/testing/cluster.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "server/codec/keys.h"
#include "server/raftstore/snapshot/chunks.h"
#include "server/raftstore/store/background.h"
#include "server/raftstore/store/initial_state.h"

namespace tikv::server {
namespace {

absl::Status WriteFirstRegion(engine::KvEngine* engine, const metapb::Region& region) {
  engine::WriteBatch batch;
  Applier::SaveRegion(region, raft_serverpb::PeerState::Normal, &batch);
  Applier::SaveApplyState(region.id(), kInitialApplyState, &batch);
  return engine->Write(&batch);
}

}  // namespace

TestStore::TestStore(TestCluster* cluster, StoreId id, std::string dir)
    : cluster_(cluster),
      id_(id),
      dir_(std::move(dir)),
      engine_(engine::NewMemEngine(&cluster->fs)) {}

TestStore::~TestStore() { Stop(); }

void TestStore::Start() {
  random_ = std::make_unique<Random>(id_.value, "store");
  delegates_ = std::make_unique<ReadDelegates>(id_);
  auto log = raftlog::RaftLog::Open(&cluster_->fs, {.dir = dir_, .segment_bytes = 1 << 20},
                                    Random(id_.value, "log"));
  CHECK_OK(log);
  log_ = *std::move(log);
  PeerContext context;
  context.config = &cluster_->config;
  context.store = id_;
  context.engine = engine_.get();
  context.log = log_.get();
  context.random = random_.get();
  context.delegates = delegates_.get();
  store_ = std::make_unique<Store>(context, this);
  CHECK_OK(store_->Recover(cluster_->now));
}

void TestStore::Stop() {
  if (store_ != nullptr) {
    store_->FailEverything([] { return RegionError::FromMessage("stopped"); });
  }
  background.clear();
  store_.reset();
  log_.reset();
}

void TestStore::Send(raft_serverpb::RaftMessage message) {
  cluster_->network_.push_back({std::move(message), nullptr});
}

void TestStore::SendSnapshot(raft_serverpb::RaftMessage message,
                             std::shared_ptr<const engine::Snapshot> data) {
  raft_serverpb::RaftSnapshotData header;
  CHECK(header.ParseFromString(message.message().snapshot().data()));
  const uint64_t to = message.to_peer().store_id();
  const RegionId region(message.region_id());
  const PeerId peer(message.to_peer().id());
  bool ok = !cluster_->drop(message) && cluster_->at(to).running();
  if (ok) {
    SnapshotReader reader(std::move(data), header.region().start_key(), header.region().end_key());
    SnapshotBuilder builder(&cluster_->at(to).engine(), &cluster_->fs,
                            fmt::format("{}-snap-{}", dir_, cluster_->next_snapshot_++),
                            header.region().start_key(), header.region().end_key());
    std::string chunk;
    while (*reader.Next(&chunk)) CHECK_OK(builder.Add(chunk));
    cluster_->network_.push_back({std::move(message), *builder.Finish()});
  }
  background.push_back([this, region, peer, ok] { store_->OnSnapshotSent(region, peer, ok); });
}

void TestStore::Install(InstallTask task) {
  background.push_back([this, task = std::move(task)] {
    store_->OnInstalled(RegionId(task.region.id()), InstallSnapshot(engine_.get(), task));
  });
}

void TestStore::DeleteData(std::string start, std::string end) {
  background.push_back([this, start, end] {
    CHECK_OK(DeleteUserData(engine_.get(), start, end));
    store_->OnCleaned(start, end);
  });
}

void TestStore::CheckSplit(SplitCheckTask task) {
  background.push_back([this, task = std::move(task)] {
    store_->OnSplitChecked(RunSplitCheck(*engine_, cluster_->config, task));
  });
}

void TestStore::SyncEngine() {
  background.push_back([this] { store_->OnEngineSynced(engine_->Sync()); });
}

void TestStore::ReportRegion(pdpb::RegionHeartbeatRequest heartbeat) {
  const uint64_t id = heartbeat.region().id();
  heartbeats[id] = std::move(heartbeat);
}

void TestStore::AskSplitIds(metapb::Region region, uint32_t count, uint64_t token) {
  std::vector<pdpb::SplitID> ids(count);
  for (pdpb::SplitID& id : ids) {
    id.set_new_region_id(cluster_->next_id++);
    for (int i = 0; i < region.peers_size(); ++i) id.add_new_peer_ids(cluster_->next_id++);
  }
  background.push_back([this, token, ids] { store_->OnSplitIds(token, ids); });
}

void TestStore::AskRegion(RegionId region) {
  background.push_back([this, region] {
    for (auto& [id, other] : cluster_->stores_) {
      if (!other->heartbeats.contains(region.value)) continue;
      const auto& heartbeat = other->heartbeats[region.value];
      if (other->running() && heartbeat.leader().store_id() == id) {
        store_->OnRegionInfo(region, heartbeat.region());
      }
    }
  });
}

TestCluster::TestCluster(int stores, int replicas) {
  std::string dir = testing::TempDir() + "raftstore-XXXXXX";
  dir_ = mkdtemp(dir.data());
  metapb::Region region;
  region.set_id(1);
  region.mutable_region_epoch()->set_version(1);
  region.mutable_region_epoch()->set_conf_ver(1);
  for (int s = 1; s <= replicas; ++s) {
    auto* peer = region.add_peers();
    peer->set_id(100 + s);
    peer->set_store_id(s);
  }
  for (int s = 1; s <= stores; ++s) {
    auto store = std::make_unique<TestStore>(this, StoreId(s), dir_ + "/" + std::to_string(s));
    if (s <= replicas) CHECK_OK(WriteFirstRegion(&store->engine(), region));
    store->Start();
    stores_[s] = std::move(store);
  }
}

TestCluster::~TestCluster() {
  for (auto& [id, store] : stores_) EXPECT_TRUE(store->fatal().ok()) << store->fatal();
  stores_.clear();
  network_.clear();
  RemoveAll(&fs, dir_).IgnoreError();
}

bool TestCluster::Step() {
  bool moved = false;
  for (auto& [id, store] : stores_) {
    if (!store->running()) continue;
    while (!store->hold_background && !store->background.empty()) {
      Task task = std::move(store->background.front());
      store->background.pop_front();
      std::move(task)();
      moved = true;
    }
    if (!store->hold_rounds) store->store().Round(now);
  }
  std::deque<Delivery> network = std::move(network_);
  network_.clear();
  for (Delivery& delivery : network) {
    moved = true;
    const auto to = stores_.find(delivery.message.to_peer().store_id());
    if (to == stores_.end() || !to->second->running() || drop(delivery.message)) continue;
    to->second->store().OnMessage(std::move(delivery.message), std::move(delivery.files), now);
  }
  return moved || !network_.empty();
}

void TestCluster::Settle() {
  for (int i = 0; i < 1000 && Step(); ++i) {
  }
}

void TestCluster::Tick(int n) {
  for (int i = 0; i < n; ++i) {
    now = now + config.tick_interval;
    for (auto& [id, store] : stores_) {
      if (store->running()) store->store().Tick(now);
    }
    Settle();
  }
}

bool TestCluster::Until(const std::function<bool()>& done) {
  Settle();
  for (int i = 0; i < 200; ++i) {
    if (done()) return true;
    Tick();
  }
  return done();
}

uint64_t TestCluster::Leader(uint64_t region) {
  uint64_t leader = 0;
  EXPECT_TRUE(Until([&] {
    leader = 0;
    uint64_t term = 0;
    for (auto& [id, store] : stores_) {
      Peer* peer = store->running() ? store->store().FindPeer(RegionId(region)) : nullptr;
      if (peer == nullptr || !peer->IsLeader() || peer->node().term() < term) continue;
      if (!peer->node().CommittedInTerm()) continue;
      leader = id;
      term = peer->node().term();
    }
    return leader != 0;
  })) << "no leader of region "
      << region;
  return leader;
}

RequestHeader TestCluster::Header(uint64_t store, uint64_t region) {
  RequestHeader header;
  header.region = RegionId(region);
  header.store = StoreId(store);
  if (Peer* peer = at(store).store().FindPeer(RegionId(region))) {
    header.peer = peer->id();
    header.version = peer->region().region_epoch().version();
    header.conf_ver = peer->region().region_epoch().conf_ver();
  }
  return header;
}

std::string TestCluster::PutAt(uint64_t store, RequestHeader header, const std::string& key,
                               const std::string& value) {
  WriteCommand command;
  command.Put(engine::Cf::kDefault, key, value);
  auto result = std::make_shared<std::string>("no answer");
  at(store).store().Write(header, std::move(command), [result](WriteResult r) {
    *result = r.error ? std::string(r.error.message()) : "";
  });
  Settle();
  if (*result == "no answer") Tick(3);
  return *result;
}

std::string TestCluster::Put(const std::string& key, const std::string& value, uint64_t region) {
  const uint64_t leader = Leader(region);
  return PutAt(leader, Header(leader, region), key, value);
}

std::string TestCluster::Stored(uint64_t store, const std::string& key) {
  std::string value;
  return *at(store).engine().Get(engine::Cf::kDefault, DataKey(key), &value) ? value : "-";
}

std::string TestCluster::Change(eraftpb::ConfChangeType type, uint64_t store, uint64_t region) {
  const uint64_t leader = Leader(region);
  Peer* peer = at(leader).store().FindPeer(RegionId(region));
  const metapb::Peer* existing = FindPeerOnStore(peer->region(), store);
  pdpb::RegionHeartbeatResponse order;
  order.set_region_id(region);
  *order.mutable_region_epoch() = peer->region().region_epoch();
  auto* change = order.mutable_change_peer();
  change->set_change_type(type);
  change->mutable_peer()->set_store_id(store);
  change->mutable_peer()->set_id(existing != nullptr ? existing->id() : next_id++);
  if (type == eraftpb::ConfChangeType::AddLearnerNode) {
    change->mutable_peer()->set_role(metapb::PeerRole::Learner);
  }
  const uint64_t before = peer->region().region_epoch().conf_ver();
  at(leader).store().OnPdOrder(order);
  Settle();
  Tick(3);
  return peer->region().region_epoch().conf_ver() > before ? "" : "refused";
}

std::vector<metapb::Region> TestCluster::Split(std::vector<std::string> keys, uint64_t region) {
  const uint64_t leader = Leader(region);
  auto regions = std::make_shared<std::vector<metapb::Region>>();
  at(leader).store().SplitRegion(Header(leader, region), std::move(keys),
                                 [regions](SplitResult result) {
                                   EXPECT_FALSE(result.error) << result.error.message();
                                   *regions = std::move(result.regions);
                                 });
  Settle();
  Tick();
  return *regions;
}

void TestCluster::Isolate(uint64_t store) {
  drop = [store](const raft_serverpb::RaftMessage& message) {
    return message.from_peer().store_id() == store || message.to_peer().store_id() == store;
  };
}

}  // namespace tikv::server
