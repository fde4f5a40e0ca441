#include "pd/cluster/cluster.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/engine/rocks/rocks_engine.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "lib/env/file_system.h"

namespace tikv::pd {
namespace {

absl::Status NotLeader() { return Unavailable("not leader"); }

}  // namespace

Cluster::Cluster(const Host& host, std::unique_ptr<RegionCache> cache)
    : host_(host),
      cache_(std::move(cache)),
      writer_(host.meta, host.executor,
              [this](uint64_t) { host_.executor->Post([this] { Restore(); }); }),
      random_(static_cast<uint64_t>(host.clock->Wall().nanos), "pd-cluster") {}

Cluster::~Cluster() = default;

std::unique_ptr<Cluster> Cluster::Open(const Host& host, std::string* warning) {
  engine::RocksOptions options;
  options.dir = JoinPath(host.data_dir, "region-meta");
  options.block_cache_bytes = 8 << 20;
  options.background_threads = 1;
  options.max_wal_bytes = 16 << 20;
  for (auto& cf : options.cf) cf.write_buffer_bytes = 4 << 20;
  std::unique_ptr<RegionCache> cache;
  auto engine = engine::OpenRocksEngine(options);
  if (engine.ok()) {
    cache = std::make_unique<RegionCache>(*std::move(engine));
  } else {
    *warning = fmt::format("no region cache: {}", Message(engine.status()));
  }
  auto cluster = std::make_unique<Cluster>(host, std::move(cache));
  host.meta->AddLeaderListener(cluster.get());
  return cluster;
}

int64_t Cluster::NowMs() const { return host_.clock->Wall().millis(); }

bool Cluster::serving() const {
  const uint64_t term = term_.load(std::memory_order_acquire);
  return term != 0 && host_.meta->IsLeader();
}

std::string Cluster::trouble() const {
  std::lock_guard lock(mu_);
  return trouble_;
}

void Cluster::Refuse(absl::Status why, Done done) {
  WhenDurable([why = std::move(why), done = std::move(done)](absl::Status s) mutable {
    std::move(done)(s.ok() ? std::move(why) : std::move(s));
  });
}

ClusterView Cluster::View() {
  return {state_.regions, state_.stores, state_.config, NowMs(), &random_, [this] {
            auto id = state_.ids.TryTake(1);
            ExtendIds();
            return id.value_or(0);
          }};
}

void Cluster::Bootstrap(const metapb::Store& store, const metapb::Region& region, Done done) {
  const uint64_t term = term_;
  if (term == 0) return std::move(done)(NotLeader());
  {
    std::lock_guard lock(mu_);
    if (bootstrapping_) {
      // Told only once the other's cluster stands: who hears "already" asks for it at once.
      bootstrap_losers_.push_back(std::move(done));
      return;
    }
    if (state_.bootstrapped) {
      return std::move(done)(AlreadyExists("cluster is already bootstrapped"));
    }
    bootstrapping_ = true;
  }
  metapb::Cluster cluster;
  cluster.set_id(cluster_id());
  cluster.set_max_peer_count(
      With([](ClusterState& s) { return s.config.replication().max_replicas; }));
  metapb::Store first = store;
  first.set_state(metapb::Up);
  first.set_node_state(metapb::Serving);
  first.set_last_heartbeat(NowMs() * 1'000'000);
  const int64_t now_s = NowMs() / 1000;
  meta::Txn txn;
  txn.leader_term = term;
  txn.when.push_back(meta::Compare::Missing(keys_->Cluster()));
  txn.then = {meta::Op::Put(keys_->Cluster(), cluster.SerializeAsString()),
              meta::Op::Put(keys_->BootstrapTime(), std::to_string(now_s)),
              meta::Op::Put(keys_->Store(store.id()), first.SerializeAsString()),
              meta::Op::Put(keys_->Region(region.id()), region.SerializeAsString())};
  host_.meta->Commit(
      std::move(txn), [this, term, cluster, first, region, now_s,
                       done = std::move(done)](absl::StatusOr<meta::TxnResult> result) mutable {
        std::unique_lock lock(mu_);
        bootstrapping_ = false;
        std::vector<Done> losers = std::move(bootstrap_losers_);
        bootstrap_losers_.clear();
        absl::Status status = result.status();
        if (status.ok() && !result->succeeded) {
          status = AlreadyExists("cluster is already bootstrapped");
        } else if (status.ok() && term_ != term) {
          status = NotLeader();
        }
        if (status.ok()) Founded(cluster, first, region, now_s);
        lock.unlock();
        for (Done& loser : losers) {
          std::move(loser)(status.ok() ? AlreadyExists("cluster is already bootstrapped") : status);
        }
        std::move(done)(status);
      });
}

void Cluster::Founded(const metapb::Cluster& cluster, const metapb::Store& first,
                      const metapb::Region& region, int64_t now_s) {
  state_.meta = cluster;
  state_.bootstrap_time_s = now_s;
  state_.stores.Load(first);
  auto info = std::make_shared<RegionInfo>();
  info->meta = region;
  if (cache_ != nullptr) cache_->Save(info);
  state_.regions.Put(std::move(info));
  state_.bootstrapped = true;
  bootstrapped_ = true;
}

void Cluster::AllocIds(uint64_t count, IdAllocator::Done done) {
  constexpr uint64_t kMaxCount = 1'000'000;
  if (count > kMaxCount) return std::move(done)(InvalidArgument("count {} is too large", count));
  std::optional<uint64_t> last;
  {
    std::lock_guard lock(mu_);
    // Checked under the lock: whoever waits when leadership ends is told so by Unload.
    if (term_ != 0) {
      last = state_.ids.TryTake(count);
      if (!last) {
        state_.ids.Wait(count, std::move(done));
        ExtendIds();
        return;
      }
      ExtendIds();
    }
  }
  last ? std::move(done)(*last) : std::move(done)(NotLeader());
}

void Cluster::ExtendIds() {
  auto bound = state_.ids.BoundToPersist();
  if (!bound) return;
  std::string value;
  PutBig64(&value, *bound);
  const uint64_t term = term_;
  writer_.Write(term, {meta::Op::Put(keys_->AllocId(), value)},
                [this, term, bound = *bound](absl::Status s) {
                  // The waiting callbacks answer calls; they do not come back here.
                  std::lock_guard lock(mu_);
                  if (term_ != term) return;
                  if (!s.ok()) return state_.ids.Fail(s);
                  state_.ids.OnPersisted(bound);
                  ExtendIds();  // Some may wait for more than this bound gave.
                });
}

void Cluster::PersistStore(const StoreInfo& store, Done done) {
  writer_.Write(term_,
                {meta::Op::Put(keys_->Store(store.meta.id()), store.meta.SerializeAsString())},
                std::move(done));
}

meta::Op Cluster::ConfigOp() const {
  return meta::Op::Put(keys_->Config(), state_.config.Serialize());
}

void Cluster::RaiseClusterVersion() {
  auto lowest = state_.stores.LowestVersion();
  if (!lowest || !(state_.config.cluster_version() < *lowest)) return;
  if (state_.config.SetClusterVersion(lowest->Text()).ok()) {
    writer_.Write(term_, {ConfigOp()}, nullptr);
  }
}

void Cluster::PutStore(const metapb::Store& store, Done done) {
  absl::Status refused;
  {
    std::lock_guard lock(mu_);
    auto put = state_.stores.Put(store, state_.config.cluster_version(), NowMs());
    if (put.ok()) {
      RaiseClusterVersion();
      PersistStore(**put, std::move(done));
      return;
    }
    refused = put.status();
  }
  Refuse(std::move(refused), std::move(done));
}

absl::Status Cluster::StoreHeartbeat(const pdpb::StoreHeartbeatRequest& request,
                                     pdpb::StoreHeartbeatResponse* reply) {
  // Rarely enough not to burden the metadata store, often enough to date a silent store.
  constexpr int64_t kPersistEveryMs = 5 * 60'000;
  std::lock_guard lock(mu_);
  const int64_t now = NowMs();
  RETURN_IF_ERROR(state_.stores.Heartbeat(request.stats(), now));
  StoreInfo* s = state_.stores.FindMutable(StoreId(request.stats().store_id()));
  auto stream = streams_.find(request.stats().store_id());
  if (stream != streams_.end() && stream->second == nullptr) streams_.erase(stream);  // It lives.
  if (now - s->persisted_heartbeat_ms > kPersistEveryMs) {
    s->persisted_heartbeat_ms = now;
    PersistStore(*s, nullptr);
  }
  reply->set_cluster_version(state_.config.cluster_version().Text());
  reply->set_state(s->meta.node_state());
  return absl::OkStatus();
}

void Cluster::ChangeStore(StoreId id, std::function<absl::Status(ClusterState&)> change,
                          Done done) {
  absl::Status s;
  {
    std::lock_guard lock(mu_);
    s = term_ == 0 ? NotLeader() : change(state_);
    const StoreInfo* store = state_.stores.Find(id);
    if (s.ok() && store != nullptr) {
      std::vector<meta::Op> ops = {
          meta::Op::Put(keys_->Store(id.value), store->meta.SerializeAsString()),
          meta::Op::Put(keys_->LeaderWeight(id.value), fmt::format("{}", store->leader_weight)),
          meta::Op::Put(keys_->RegionWeight(id.value), fmt::format("{}", store->region_weight)),
          ConfigOp()};
      writer_.Write(term_, std::move(ops), std::move(done));
      return;
    }
  }
  Refuse(std::move(s), std::move(done));
}

void Cluster::RemoveTombstones(Done done) {
  auto occupied = std::make_shared<std::string>();
  Change(
      [this, occupied](ClusterState& state) -> absl::StatusOr<std::vector<meta::Op>> {
        std::vector<StoreId> gone;
        for (const auto& [id, s] : state.stores.all()) {
          if (!s.removed()) continue;
          if (state.regions.OfStore(s.id()).region_count() > 0) {
            *occupied += fmt::format("{}{}", occupied->empty() ? "" : ", ", id);
          } else {
            gone.push_back(s.id());
          }
        }
        std::vector<meta::Op> ops;
        for (StoreId id : gone) {
          if (ops.size() >= 60) break;  // The rest at the next call.
          state.stores.Erase(id);
          state.config.RemoveStoreLimit(id);
          ops.push_back(meta::Op::Delete(keys_->Store(id.value)));
        }
        ops.push_back(ConfigOp());
        return ops;
      },
      [occupied, done = std::move(done)](absl::Status s) mutable {
        if (s.ok() && !occupied->empty()) {
          s = FailedPrecondition("failed stores: {}: tombstone store still has regions", *occupied);
        }
        std::move(done)(std::move(s));
      });
}

void Cluster::Change(
    const std::function<absl::StatusOr<std::vector<meta::Op>>(ClusterState&)>& change, Done done) {
  absl::Status s;
  {
    std::lock_guard lock(mu_);
    auto ops = term_ == 0 ? absl::StatusOr<std::vector<meta::Op>>(NotLeader()) : change(state_);
    if (ops.ok() && !ops->empty()) {
      writer_.Write(term_, *std::move(ops), std::move(done));
      return;
    }
    s = ops.status();
  }
  Refuse(std::move(s), std::move(done));
}

void Cluster::ChangeConfig(const std::function<absl::Status(Config&)>& change, Done done) {
  Change(
      [&](ClusterState& state) -> absl::StatusOr<std::vector<meta::Op>> {
        Config before = state.config;
        if (absl::Status s = change(state.config); !s.ok()) {
          state.config = std::move(before);
          return s;
        }
        std::vector<meta::Op> ops = {ConfigOp()};
        if (state.bootstrapped &&
            state.meta.max_peer_count() != state.config.replication().max_replicas) {
          state.meta.set_max_peer_count(state.config.replication().max_replicas);
          ops.push_back(meta::Op::Put(keys_->Cluster(), state.meta.SerializeAsString()));
        }
        return ops;
      },
      std::move(done));
}

}  // namespace tikv::pd
