// A metadata store in memory, for tests: one member that leads from the start.
#pragma once

#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "lib/base/status.h"
#include "pd/meta/meta_store.h"

namespace tikv::pd {

// Answers inside the call.  Thread-safe but for the listeners, which tests add before they begin.
class FakeMetaStore : public meta::MetaStore {
 public:
  explicit FakeMetaStore(uint64_t cluster_id) : cluster_id_(cluster_id) {
    self_.id = 1;
    self_.name = "pd1";
    self_.client_urls = {"http://127.0.0.1:2379"};
    self_.peer_urls = {"http://127.0.0.1:2380"};
    self_.binary_version = "v8.5.4";
    self_.deploy_path = "/";
    self_.git_hash = "0";
  }

  void set_client_url(const std::string& url) { self_.client_urls = {url}; }
  // Ends the leadership, or begins a new one.
  void Lead(bool lead) {
    const uint64_t before = term_;
    if (lead) ++last_term_;
    term_ = lead ? last_term_ : 0;
    for (auto* l : listeners_) {
      lead ? l->OnBecomeLeader(term_) : l->OnLoseLeadership(before);
    }
  }
  // While held, changes wait; Release(OK) makes them, Release(error) loses them.
  void Hold() { held_ = true; }
  void Release(const absl::Status& status) {
    held_ = false;
    for (auto& [txn, done] : std::exchange(waiting_, {})) {
      status.ok() ? Commit(std::move(txn), std::move(done)) : std::move(done)(status);
    }
  }
  // The value of a key, "" when there is none.
  std::string Value(const std::string& key) {
    std::lock_guard lock(mu_);
    auto it = data_.find(key);
    return it == data_.end() ? "" : it->second.value;
  }

  void Range(meta::KeyRange range, meta::RangeOptions options,
             Callback<absl::StatusOr<meta::RangeResult>> done) override {
    std::move(done)(RangeLocal(range, options));
  }
  absl::StatusOr<meta::RangeResult> RangeLocal(const meta::KeyRange& range,
                                               const meta::RangeOptions& options) override {
    std::lock_guard lock(mu_);
    meta::RangeResult r;
    r.revision = revision_;
    for (const auto& [key, kv] : data_) {
      if (!range.contains(key)) continue;
      ++r.count;
      if (options.limit == 0 || static_cast<int64_t>(r.kvs.size()) < options.limit) {
        r.kvs.push_back(kv);
      }
    }
    r.more = static_cast<int64_t>(r.kvs.size()) < r.count;
    return r;
  }
  void Commit(meta::Txn txn, Callback<absl::StatusOr<meta::TxnResult>> done) override {
    if (held_) {
      waiting_.emplace_back(std::move(txn), std::move(done));
      return;
    }
    if (txn.leader_term != 0 && txn.leader_term != term_) {
      return std::move(done)(Unavailable("not leader"));
    }
    meta::TxnResult result;
    {
      std::lock_guard lock(mu_);
      result.succeeded = true;
      for (const auto& c : txn.when) {
        const bool exists = data_.contains(c.key);
        result.succeeded &= c.op == meta::Compare::Op::kGreater ? exists : !exists;
      }
      ++revision_;
      for (auto& op : result.succeeded ? txn.then : txn.otherwise) Apply(op, &result);
      result.revision = revision_;
    }
    std::move(done)(result);
  }
  std::unique_ptr<meta::WatchHandle> Watch(meta::WatchOptions,
                                           std::function<void(meta::WatchBatch)>) override {
    return std::make_unique<meta::WatchHandle>();
  }
  int64_t revision() const override { return revision_; }

  bool IsLeader() const override { return term_ != 0; }
  uint64_t leader_term() const override { return term_; }
  MonotonicTime lease_expiry() const override { return MonotonicTime::Max(); }
  std::optional<meta::Member> Leader() const override {
    return term_ != 0 ? std::optional(self_) : std::nullopt;
  }
  void AddLeaderListener(meta::LeaderListener* listener) override {
    listeners_.push_back(listener);
    if (term_ != 0) listener->OnBecomeLeader(term_);
  }
  void TransferLeader(meta::MemberId, Callback<absl::Status> done) override {
    std::move(done)(absl::OkStatus());
  }
  void Resign(Callback<absl::Status> done) override {
    std::move(done)(FailedPrecondition("no other member"));
  }

  uint64_t cluster_id() const override { return cluster_id_; }
  meta::Member Self() const override { return self_; }
  std::vector<meta::Member> Members() const override { return {self_}; }
  void RemoveMember(meta::MemberId, Callback<absl::Status> done) override {
    std::move(done)(NotFound("etcdserver: member not found"));
  }
  void SetLeaderPriority(meta::MemberId, int32_t priority, Callback<absl::Status> done) override {
    self_.leader_priority = priority;
    std::move(done)(absl::OkStatus());
  }
  bool IsHealthy(meta::MemberId) const override { return true; }

 private:
  void Apply(const meta::Op& op, meta::TxnResult* result) {
    if (op.kind == meta::Op::Kind::kDelete) {
      result->deleted += static_cast<int64_t>(
          std::erase_if(data_, [&](const auto& kv) { return op.range.contains(kv.first); }));
      return;
    }
    meta::KeyValue& kv = data_[op.range.key];
    if (kv.version == 0) kv.create_revision = revision_;
    kv.key = op.range.key;
    kv.value = op.value;
    kv.mod_revision = revision_;
    ++kv.version;
  }

  const uint64_t cluster_id_;
  meta::Member self_;
  std::vector<meta::LeaderListener*> listeners_;
  uint64_t term_ = 1, last_term_ = 1;
  bool held_ = false;
  std::vector<std::pair<meta::Txn, Callback<absl::StatusOr<meta::TxnResult>>>> waiting_;
  std::mutex mu_;
  std::map<std::string, meta::KeyValue> data_;
  int64_t revision_ = 1;
};

}  // namespace tikv::pd
