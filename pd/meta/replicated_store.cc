#include "pd/meta/replicated_store.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/checks.h"
#include "pd/meta/mvcc/view.h"

namespace tikv::pd::meta {
namespace {

constexpr std::string_view kClusterIdKey = "/pd/cluster_id";

etcdserverpb::Compare ToProtoCompare(Compare c) {
  etcdserverpb::Compare out;
  out.set_key(std::move(c.key));
  out.set_result(c.op == Compare::Op::kEqual     ? etcdserverpb::Compare::EQUAL
                 : c.op == Compare::Op::kGreater ? etcdserverpb::Compare::GREATER
                 : c.op == Compare::Op::kLess    ? etcdserverpb::Compare::LESS
                                                 : etcdserverpb::Compare::NOT_EQUAL);
  switch (c.target) {
    case Compare::Target::kVersion:
      out.set_target(etcdserverpb::Compare::VERSION);
      out.set_version(c.number);
      break;
    case Compare::Target::kCreateRevision:
      out.set_target(etcdserverpb::Compare::CREATE);
      out.set_create_revision(c.number);
      break;
    case Compare::Target::kModRevision:
      out.set_target(etcdserverpb::Compare::MOD);
      out.set_mod_revision(c.number);
      break;
    case Compare::Target::kValue:
      out.set_target(etcdserverpb::Compare::VALUE);
      out.set_value(std::move(c.value));
      break;
  }
  return out;
}

void ToProtoOp(Op op, etcdserverpb::RequestOp* out) {
  if (op.kind == Op::Kind::kPut) {
    auto* put = out->mutable_request_put();
    put->set_key(std::move(op.range.key));
    put->set_value(std::move(op.value));
    put->set_lease(op.lease);
  } else {
    auto* del = out->mutable_request_delete_range();
    del->set_key(std::move(op.range.key));
    del->set_range_end(std::move(op.range.end));
  }
}

etcdserverpb::TxnRequest ToProtoTxn(Txn txn) {
  etcdserverpb::TxnRequest request;
  for (Compare& c : txn.when) *request.add_compare() = ToProtoCompare(std::move(c));
  for (Op& op : txn.then) ToProtoOp(std::move(op), request.add_success());
  for (Op& op : txn.otherwise) ToProtoOp(std::move(op), request.add_failure());
  return request;
}

TxnResult ToResult(const etcdserverpb::TxnResponse& response) {
  TxnResult result{response.succeeded(), response.header().revision(), 0};
  for (const auto& r : response.responses()) {
    if (r.has_response_delete_range()) result.deleted += r.response_delete_range().deleted();
  }
  return result;
}

// A watch of PD's own parts; takes whatever comes.
class CallbackSink : public WatchSink {
 public:
  CallbackSink(bool prev_kv, std::function<void(WatchBatch)> sink)
      : prev_kv_(prev_kv), sink_(std::move(sink)) {}
  void OnCreated(int64_t) override {}
  bool OnEvents(int64_t revision, const std::vector<Event>& events) override {
    WatchBatch batch{revision, events, 0};
    for (Event& event : batch.events) event.has_prev = event.has_prev && prev_kv_;
    sink_(std::move(batch));
    return true;
  }
  void OnCompacted(int64_t compact_revision) override {
    sink_({.compact_revision = compact_revision});
  }

 private:
  const bool prev_kv_;
  const std::function<void(WatchBatch)> sink_;
};

class HubHandle : public WatchHandle {
 public:
  HubHandle(WatchHub* hub, WatchHub::WatchId id) : hub_(hub), id_(id) {}
  ~HubHandle() override { hub_->Remove(id_); }

 private:
  WatchHub* const hub_;
  const WatchHub::WatchId id_;
};

}  // namespace

ReplicatedStore::ReplicatedStore(StoreOptions options, StoreDeps deps)
    : options_(std::move(options)), deps_(std::move(deps)), random_(0) {}

ReplicatedStore::~ReplicatedStore() = default;

absl::StatusOr<std::unique_ptr<ReplicatedStore>> ReplicatedStore::Create(StoreOptions options,
                                                                         StoreDeps deps,
                                                                         uint64_t seed) {
  const Identity& identity = *deps.storage->identity();
  options.replica.member_id = identity.member_id;
  options.replica.raft_cluster_id = identity.raft_cluster_id;
  std::unique_ptr<ReplicatedStore> store(new ReplicatedStore(std::move(options), std::move(deps)));
  store->random_ = Random(seed, "meta-store");
  Storage& storage = *store->deps_.storage;
  store->hub_ = std::make_unique<WatchHub>(storage.machine(), store->deps_.watch_strand);
  ReplicaDeps replica_deps;
  replica_deps.clock = store->deps_.clock;
  replica_deps.strand = store->deps_.strand;
  replica_deps.fs = store->deps_.fs;
  replica_deps.on_log_written = store->deps_.on_log_written;
  replica_deps.engine = storage.engine();
  replica_deps.log = storage.log();
  replica_deps.machine = storage.machine();
  replica_deps.hub = store->hub_.get();
  replica_deps.transport = store->deps_.transport;
  replica_deps.events = store.get();
  ASSIGN_OR_RETURN(store->replica_, Replica::Create(store->options_.replica, replica_deps, seed));
  store->LoadClusterId();
  PeerUrls peers;
  for (const auto& member : storage.identity()->members) {
    if (member.id() == storage.identity()->member_id) continue;
    peers[member.id()].assign(member.peerurls().begin(), member.peerurls().end());
  }
  store->deps_.transport->SetPeers(peers);
  return store;
}

void ReplicatedStore::Start() {
  replica_->Start();
  deps_.strand->PostAfter(std::chrono::milliseconds(100), [this] { OnTimer(); });
}

void ReplicatedStore::FillHeader(etcdserverpb::ResponseHeader* header) const {
  header->set_cluster_id(options_.replica.raft_cluster_id);
  header->set_member_id(options_.replica.member_id);
  header->set_raft_term(replica_->view().term.load(std::memory_order_acquire));
  if (header->revision() == 0) header->set_revision(revision());
}

// --- Data ---------------------------------------------------------------------------------------

absl::StatusOr<RangeResult> ReplicatedStore::RangeLocal(const KeyRange& range,
                                                        const RangeOptions& options) {
  StateMachine::ReadView view = deps_.storage->machine()->TakeSnapshot();
  ASSIGN_OR_RETURN(int64_t revision, view.Resolve(options.revision));
  const size_t limit = options.limit > 0 ? static_cast<size_t>(options.limit) : SIZE_MAX;
  RangeResult result;
  result.revision = view.revision;
  RETURN_IF_ERROR(View(*view.snapshot, revision).Scan(range, options.keys_only, [&](KeyValue kv) {
    ++result.count;
    if (options.reverse || result.kvs.size() < limit) {
      result.kvs.push_back(std::move(kv));
    }
    return true;
  }));
  if (options.reverse) {
    std::reverse(result.kvs.begin(), result.kvs.end());
    if (result.kvs.size() > limit) result.kvs.resize(limit);
  }
  result.more = result.count > static_cast<int64_t>(result.kvs.size());
  return result;
}

void ReplicatedStore::Range(KeyRange range, RangeOptions options,
                            Callback<absl::StatusOr<RangeResult>> done) {
  replica_->Linearize([this, range = std::move(range), options,
                       done = std::move(done)](absl::Status status) mutable {
    if (!status.ok()) return std::move(done)(std::move(status));
    std::move(done)(RangeLocal(range, options));
  });
}

void ReplicatedStore::Commit(Txn txn, Callback<absl::StatusOr<TxnResult>> done) {
  const uint64_t term = txn.leader_term;
  etcdserverpb::TxnRequest request = ToProtoTxn(std::move(txn));
  if (absl::Status bad = CheckTxn(request); !bad.ok()) return std::move(done)(std::move(bad));
  replica_->Submit(CommandType::kTxn, request, term,
                   [done = std::move(done)](absl::StatusOr<Response> response) mutable {
                     if (!response.ok()) return std::move(done)(response.status());
                     std::move(done)(ToResult(std::get<etcdserverpb::TxnResponse>(*response)));
                   });
}

std::unique_ptr<WatchHandle> ReplicatedStore::Watch(WatchOptions options,
                                                    std::function<void(WatchBatch)> sink) {
  const WatchHub::WatchId id =
      hub_->Add(std::move(options.range), options.start_revision,
                std::make_shared<CallbackSink>(options.prev_kv, std::move(sink)));
  return std::make_unique<HubHandle>(hub_.get(), id);
}

int64_t ReplicatedStore::revision() const { return deps_.storage->machine()->revision(); }

// --- Leadership ---------------------------------------------------------------------------------

bool ReplicatedStore::IsLeader() const {
  return announced_term_.load(std::memory_order_acquire) != 0 && replica_->HoldsLease();
}

uint64_t ReplicatedStore::leader_term() const {
  return announced_term_.load(std::memory_order_acquire);
}

MonotonicTime ReplicatedStore::lease_expiry() const {
  return {replica_->view().lease_expiry.load(std::memory_order_acquire)};
}

void ReplicatedStore::AddLeaderListener(LeaderListener* listener) {
  deps_.strand->Post([this, listener] {
    listeners_.push_back(listener);
    if (const uint64_t term = announced_term_; term != 0) listener->OnBecomeLeader(term);
  });
}

void ReplicatedStore::TransferLeader(MemberId to, Callback<absl::Status> done) {
  replica_->TransferLeader(to, std::move(done));
}

void ReplicatedStore::Resign(Callback<absl::Status> done) { replica_->Resign(std::move(done)); }

void ReplicatedStore::OnBecomeLeader(uint64_t term) {
  next_priority_check_ = deps_.clock->Now() + options_.priority_check_interval;
  cluster_id() == 0 ? ChooseClusterId(term) : Announce(term);
}

void ReplicatedStore::Announce(uint64_t term) {
  announced_term_.store(term, std::memory_order_release);
  for (LeaderListener* listener : listeners_) listener->OnBecomeLeader(term);
}

void ReplicatedStore::OnLoseLeadership(uint64_t term) {
  if (announced_term_.exchange(0) == 0) return;
  for (LeaderListener* listener : listeners_) listener->OnLoseLeadership(term);
}

void ReplicatedStore::OnLeaderChanged(uint64_t) { Introduce(); }

// Seconds in the upper half, randomness in the lower: unique enough among clusters, and rising.
void ReplicatedStore::ChooseClusterId(uint64_t term) {
  const auto seconds = static_cast<uint64_t>(deps_.clock->Wall().seconds());
  std::string value;
  PutBig64(&value, (seconds << 32) | (random_.Next() & 0xffffffff));
  Txn txn;
  txn.when.push_back(Compare::Missing(std::string(kClusterIdKey)));
  txn.then.push_back(Op::Put(std::string(kClusterIdKey), std::move(value)));
  const etcdserverpb::TxnRequest request = ToProtoTxn(std::move(txn));
  replica_->Submit(CommandType::kTxn, request, term,
                   [this, term](absl::StatusOr<Response> response) {
                     if (replica_->view().leader_term != term) return;
                     if (response.ok()) return Announce(term);
                     // A disk that stands still for seconds must not keep us from serving for good.
                     deps_.strand->PostAfter(std::chrono::milliseconds(100), [this, term] {
                       if (replica_->view().leader_term == term) OnBecomeLeader(term);
                     });
                   });
}

void ReplicatedStore::LoadClusterId() {
  absl::StatusOr<RangeResult> found =
      RangeLocal(KeyRange::Single(std::string(kClusterIdKey)), RangeOptions{});
  if (!found.ok() || found->kvs.empty() || found->kvs[0].value.size() != 8) return;
  cluster_id_.store(GetBig64(found->kvs[0].value), std::memory_order_release);
}

void ReplicatedStore::OnApplied(const std::vector<Event>& events) {
  for (const Event& event : events) {
    if (event.kv.key == kClusterIdKey) LoadClusterId();
  }
}

void ReplicatedStore::OnMembersChanged() {
  LoadClusterId();  // It may have come with a snapshot.
  Introduce();
}

void ReplicatedStore::OnFailed(const absl::Status& status) { deps_.on_fatal(status); }

void ReplicatedStore::OnRemoved() {
  // Late enough for the answer to whoever asked for it here.
  deps_.strand->PostAfter(std::chrono::milliseconds(500), [this] {
    deps_.on_fatal(
        FailedPrecondition("member {:x} was removed from the cluster; empty its data directory "
                           "before it joins again",
                           options_.replica.member_id));
  });
}

}  // namespace tikv::pd::meta
