// The values that pass through MetaStore: keys with revisions, transactions, events.  Plain data,
// no protobuf, so that all of pd/ may include it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tikv::pd::meta {

// A key as it was after the change with `mod_revision`.
struct KeyValue {
  std::string key;
  std::string value;
  int64_t create_revision = 0;  // Of the first put since the key was last absent.
  int64_t mod_revision = 0;
  int64_t version = 0;  // Puts since the key was last absent; 0 in a delete event.
  int64_t lease = 0;    // 0: none.
};

// [key, end).  An empty `end` means the single key; "\0" means everything from `key` on.
struct KeyRange {
  std::string key;
  std::string end;

  static KeyRange Single(std::string key) { return {std::move(key), {}}; }
  static KeyRange Prefix(std::string prefix);

  bool contains(std::string_view k) const;
};

// Which of the keys in a range are wanted, and as of when.
struct RangeOptions {
  int64_t revision = 0;  // 0: now.
  int64_t limit = 0;     // 0: no limit.
  bool keys_only = false;
  bool reverse = false;  // Descending keys.
};

// The keys found.
struct RangeResult {
  int64_t revision = 0;  // Of the store when the read was done.
  int64_t count = 0;     // Keys in the range, whatever the limit.
  bool more = false;
  std::vector<KeyValue> kvs;  // In key order.
};

// A condition on the present state of one key.
struct Compare {
  enum class Target { kVersion, kCreateRevision, kModRevision, kValue };
  enum class Op { kEqual, kGreater, kLess, kNotEqual };
  std::string key;
  Target target = Target::kVersion;
  Op op = Op::kEqual;
  int64_t number = 0;  // For the first three targets.
  std::string value;   // For kValue.

  static Compare Missing(std::string key) { return {std::move(key)}; }
  static Compare Exists(std::string key) {
    return {std::move(key), Target::kVersion, Op::kGreater, 0, {}};
  }
  static Compare ValueIs(std::string key, std::string value) {
    return {std::move(key), Target::kValue, Op::kEqual, 0, std::move(value)};
  }
  static Compare ModRevisionIs(std::string key, int64_t revision) {
    return {std::move(key), Target::kModRevision, Op::kEqual, revision, {}};
  }
};

// One change of a transaction: a put, or a delete of a range.
struct Op {
  enum class Kind { kPut, kDelete };
  Kind kind = Kind::kPut;
  KeyRange range;     // kPut: the single key.
  std::string value;  // kPut.
  int64_t lease = 0;  // kPut; 0: none.

  static Op Put(std::string key, std::string value, int64_t lease = 0) {
    return {Kind::kPut, KeyRange::Single(std::move(key)), std::move(value), lease};
  }
  static Op Delete(std::string key) {
    return {Kind::kDelete, KeyRange::Single(std::move(key)), {}, 0};
  }
  static Op DeleteRange(KeyRange range) { return {Kind::kDelete, std::move(range), {}, 0}; }
};

// All of `then` when every condition holds, else all of `otherwise`, under one new revision.  A key
// may be changed once only, and at most 128 operations are accepted.
struct Txn {
  std::vector<Compare> when;
  std::vector<Op> then;
  std::vector<Op> otherwise;
  // Not 0: refused ("not leader") unless this member still leads in this term.  A change accepted
  // so takes effect before the next leader is told of its leadership, or never.
  uint64_t leader_term = 0;
};

// What a transaction did.
struct TxnResult {
  bool succeeded = false;  // The conditions held.
  int64_t revision = 0;    // Of the store after it.
  int64_t deleted = 0;     // Keys deleted by the branch that ran.
};

// One change of one key, as watchers see it.
struct Event {
  bool is_delete = false;
  KeyValue kv;  // For a delete: key and mod_revision only.
  bool has_prev = false;
  KeyValue prev;  // The key before the change, when asked for and not compacted.
};

}  // namespace tikv::pd::meta
