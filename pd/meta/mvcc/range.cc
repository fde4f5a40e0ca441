#include "pd/meta/mvcc/range.h"

#include "lib/base/status.h"
#include "pd/meta/mvcc/view.h"
#include "proto/etcdserverpb.pb.h"

namespace tikv::pd::meta {
namespace {

using Condition = etcdserverpb::Compare;
using etcdserverpb::RangeRequest;
using etcdserverpb::RangeResponse;

bool PassesFilters(const RangeRequest& r, const KeyValue& kv) {
  return (r.max_mod_revision() == 0 || kv.mod_revision <= r.max_mod_revision()) &&
         (r.min_mod_revision() == 0 || kv.mod_revision >= r.min_mod_revision()) &&
         (r.max_create_revision() == 0 || kv.create_revision <= r.max_create_revision()) &&
         (r.min_create_revision() == 0 || kv.create_revision >= r.min_create_revision());
}

bool ComparesLess(RangeRequest::SortTarget target, const KeyValue& a, const KeyValue& b) {
  switch (target) {
    case RangeRequest::VERSION:
      return a.version < b.version;
    case RangeRequest::CREATE:
      return a.create_revision < b.create_revision;
    case RangeRequest::MOD:
      return a.mod_revision < b.mod_revision;
    case RangeRequest::VALUE:
      return a.value < b.value;
    default:
      return a.key < b.key;
  }
}

void Sort(const RangeRequest& r, std::vector<KeyValue>* kvs) {
  const auto target = r.sort_target();
  if (r.sort_order() == RangeRequest::DESCEND) {
    std::stable_sort(kvs->begin(), kvs->end(),
                     [&](const auto& a, const auto& b) { return ComparesLess(target, b, a); });
  } else if (target != RangeRequest::KEY) {
    std::stable_sort(kvs->begin(), kvs->end(),
                     [&](const auto& a, const auto& b) { return ComparesLess(target, a, b); });
  }
}

bool SortsByValue(const RangeRequest& r) { return r.sort_target() == RangeRequest::VALUE; }

bool InKeyOrder(const RangeRequest& r) {
  return r.sort_target() == RangeRequest::KEY && r.sort_order() != RangeRequest::DESCEND;
}

// -1, 0, 1 as from a three-way comparison; nullopt when there is nothing to compare with.
std::optional<int> Order(const Condition& c, const KeyValue* kv) {
  auto order = [](auto&& a, auto&& b) { return a < b ? -1 : (b < a ? 1 : 0); };
  static const KeyValue kMissing;
  const KeyValue& state = kv != nullptr ? *kv : kMissing;
  switch (c.target()) {
    case Condition::VERSION:
      return order(state.version, c.version());
    case Condition::CREATE:
      return order(state.create_revision, c.create_revision());
    case Condition::MOD:
      return order(state.mod_revision, c.mod_revision());
    case Condition::LEASE:
      return order(state.lease, c.lease());
    case Condition::VALUE:
      return kv == nullptr ? std::nullopt : std::optional(order(kv->value, c.value()));
    default:
      return std::nullopt;
  }
}

bool HoldsFor(const Condition& c, const KeyValue* kv) {
  const std::optional<int> order = Order(c, kv);
  if (!order) return false;
  switch (c.result()) {
    case Condition::EQUAL:
      return *order == 0;
    case Condition::GREATER:
      return *order > 0;
    case Condition::LESS:
      return *order < 0;
    case Condition::NOT_EQUAL:
      return *order != 0;
    default:
      return false;
  }
}

}  // namespace

void ToProto(KeyValue kv, mvccpb::KeyValue* out) {
  out->set_key(std::move(kv.key));
  out->set_value(std::move(kv.value));
  out->set_create_revision(kv.create_revision);
  out->set_mod_revision(kv.mod_revision);
  out->set_version(kv.version);
  out->set_lease(kv.lease);
}

absl::StatusOr<RangeResponse> ExecuteRange(const View& view, const RangeRequest& r) {
  const size_t limit = r.limit() > 0 ? static_cast<size_t>(r.limit()) : SIZE_MAX;
  std::vector<KeyValue> kvs;
  int64_t count = 0;
  bool more = false;
  const bool skip_values = r.count_only() || (r.keys_only() && !SortsByValue(r));
  RETURN_IF_ERROR(view.Scan({r.key(), r.range_end()}, skip_values, [&](KeyValue kv) {
    ++count;
    if (r.count_only() || !PassesFilters(r, kv)) return true;
    // In key order the first `limit` are known as they come; the rest is only counted.
    if (InKeyOrder(r) && kvs.size() >= limit) {
      more = true;
    } else {
      kvs.push_back(std::move(kv));
    }
    return true;
  }));
  Sort(r, &kvs);
  if (kvs.size() > limit) {
    kvs.resize(limit);
    more = true;
  }
  RangeResponse response;
  response.set_count(count);
  response.set_more(more);
  response.mutable_kvs()->Reserve(static_cast<int>(kvs.size()));
  for (KeyValue& kv : kvs) {
    if (r.keys_only()) kv.value.clear();
    ToProto(std::move(kv), response.add_kvs());
  }
  return response;
}

absl::StatusOr<bool> Holds(const View& view, const Condition& c) {
  bool holds = true, any = false;
  RETURN_IF_ERROR(
      view.Scan({c.key(), c.range_end()}, c.target() != Condition::VALUE, [&](KeyValue kv) {
        any = true;
        holds = HoldsFor(c, &kv);
        return holds;
      }));
  return any ? holds : HoldsFor(c, nullptr);
}

}  // namespace tikv::pd::meta
