// RawStorage: every raw call, over the replicated engine.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/callback.h"
#include "lib/engine/column_family.h"
#include "lib/env/clock.h"
#include "lib/env/executor.h"
#include "server/port/replicated_engine.h"
#include "server/storage/raw/checksum.h"
#include "server/storage/raw/latches.h"
#include "server/storage/raw/raw_codec.h"
#include "server/storage/raw/raw_error.h"

namespace tikv::server {

// Of Get and GetTtl.
struct RawGetResult {
  RawError error;
  bool found = false;
  std::string value;
  uint64_t ttl_seconds = 0;  // Left to live; 0 = for ever.
};

// Of reads of several keys, in the order asked for.
struct RawPairsResult {
  RawError error;
  std::vector<std::pair<std::string, std::string>> pairs;
};

// Of Checksum.
struct RawDigestResult {
  RawError error;
  RawDigest digest;
};

// Of CompareAndSwap; tells what was there, swapped or not.
struct RawSwapResult {
  RawError error;
  bool swapped = false;
  bool previous_exists = false;
  std::string previous;
};

// A range of user keys.
struct RawRange {
  std::string start;  // Included; in reverse scans the upper bound, excluded.
  std::string end;    // Excluded; in reverse scans the lower bound, included.  "" = no bound.
};

// How a scan goes over its ranges.
struct RawScanOptions {
  uint32_t limit = 0;  // Per range.
  bool key_only = false;
  bool reverse = false;
};

// One pair to write.
struct RawPair {
  std::string_view key;
  std::string_view value;
  uint64_t ttl_seconds = 0;  // 0 = lives for ever.
};

// A compare-and-swap; see RawStorage::CompareAndSwap.
struct RawSwap {
  std::string key;
  std::string value;
  uint64_t ttl_seconds = 0;
  bool expect_absent = false;
  std::string expected;
  bool remove = false;  // Deletes instead of writing `value`.
};

// What reads have given out since the start; any thread.
struct RawFlow {
  std::atomic<uint64_t> keys{0};
  std::atomic<uint64_t> bytes{0};
};

// Bounds on single requests.
struct RawLimits {
  size_t max_key_bytes = 8 << 10;
  // A scan must return all it was asked for or fail, so its size needs a bound of its own.
  size_t max_result_bytes = size_t{512} << 20;
  // Above these a read goes to the pool, so that it does not hold up an event loop.
  uint32_t max_inline_scan = 256;
  size_t max_inline_visits = 1024;  // Expired values among them, which a scan passes over.
  int64_t pool_threads = 2;
  size_t max_inline_keys = 256;
};

// Thread-safe.  Reads are answered inside the call when the region's lease allows it and the data
// is in memory; else on `read_pool`.  Writes are answered on the raft thread once applied.  Each
// callback runs exactly once and must not block.  Views passed in need to live only until the call
// returns.  `cf` is the name as sent ("" = default).  All ports must outlive this object and all
// callbacks.
class RawStorage {
 public:
  RawStorage(ApiVersion version, ReplicatedEngine* engine, TaskRunner* read_pool, Clock* clock,
             RawLimits limits = {});

  const RawCodec& codec() const { return codec_; }
  const RawFlow& flow() const { return flow_; }
  // Told how long each atomic command waited for its keys, on any thread.  Before the first call.
  void ObserveLatches(std::function<void(Duration)> observer) { on_latched_ = std::move(observer); }

  void Get(const RequestHeader& header, std::string_view cf, std::string_view key,
           Callback<RawGetResult> done);
  // As Get without the value; an error where expiry is not kept.
  void GetTtl(const RequestHeader& header, std::string_view cf, std::string_view key,
              Callback<RawGetResult> done);
  // Pairs in the order of the keys; absent keys are left out.
  void BatchGet(const RequestHeader& header, std::string_view cf,
                const std::vector<std::string_view>& keys, Callback<RawPairsResult> done);
  void Scan(const RequestHeader& header, std::string_view cf, RawRange range,
            const RawScanOptions& options, Callback<RawPairsResult> done);
  // Ranges in the order of the scan.  An empty end means the next range's start.
  void BatchScan(const RequestHeader& header, std::string_view cf, std::vector<RawRange> ranges,
                 const RawScanOptions& options, Callback<RawPairsResult> done);
  // Digest over user keys and stored values (with their expiry) of family default.
  void Checksum(const RequestHeader& header, std::vector<RawRange> ranges,
                Callback<RawDigestResult> done);

  // `atomic`: takes turns with CompareAndSwap on the same keys.  All changes of one call are
  // applied together; of equal keys the last wins.
  void Put(const RequestHeader& header, std::string_view cf, const std::vector<RawPair>& pairs,
           bool atomic, Callback<RawError> done);
  void Delete(const RequestHeader& header, std::string_view cf,
              const std::vector<std::string_view>& keys, bool atomic, Callback<RawError> done);
  void DeleteRange(const RequestHeader& header, std::string_view cf, std::string_view start,
                   std::string_view end, Callback<RawError> done);
  // Writes if the key's present value is `expected` (or absent), and tells what was there.
  void CompareAndSwap(const RequestHeader& header, std::string_view cf, RawSwap swap,
                      Callback<RawSwapResult> done);

 private:
  // What a pair takes, in memory and in the reply, beside its bytes.
  static constexpr size_t kPairOverhead = 128;

  template <class Result>
  using ReadBody = absl::AnyInvocable<Result(const RegionView&, const engine::ReadOptions&)>;

  template <class Result>
  void Read(const RequestHeader& header, ReadMode mode, bool inline_allowed, ReadBody<Result> body,
            Callback<Result> done);
  template <class Result>
  void ReadOnPool(const RequestHeader& header, RegionView view, ReadBody<Result> body,
                  Callback<Result> done);
  template <class Result>
  void ReadByQuorum(const RequestHeader& header, ReadBody<Result> body, Callback<Result> done);

  Duration PoolWait() const {
    return Duration(pool_waiting_ * pool_task_nanos_ / limits_.pool_threads);
  }
  RawGetResult GetFrom(const RegionView& view, engine::Cf cf, std::string_view stored_key,
                       const engine::ReadOptions& options) const;
  RawError ScanInto(const RegionView& view, engine::Cf cf, const RawRange& range,
                    const RawScanOptions& options, const engine::ReadOptions& read, size_t* bytes,
                    std::vector<std::pair<std::string, std::string>>* pairs) const;
  RawDigestResult DigestOf(const RegionView& view, const std::vector<RawRange>& ranges,
                           bool fill_cache) const;
  void Write(const RequestHeader& header, WriteCommand command,
             const std::vector<std::string_view>& keys, bool atomic, Callback<RawError> done);
  void SwapLatched(const RequestHeader& header, engine::Cf cf, RawSwap swap, Latches::Guard guard,
                   Callback<RawSwapResult> done);
  void FinishSwap(const RequestHeader& header, engine::Cf cf, RawSwap swap, RawSwapResult result,
                  uint64_t term, Latches::Guard guard, Callback<RawSwapResult> done);

  RawError CheckKey(std::string_view key) const;
  bool FindCf(std::string_view name, engine::Cf* cf) const;
  uint64_t NowSeconds() const { return static_cast<uint64_t>(clock_->Wall().seconds()); }
  void CountRead(uint64_t keys, uint64_t bytes) const {
    flow_.keys.fetch_add(keys, std::memory_order_relaxed);
    flow_.bytes.fetch_add(bytes, std::memory_order_relaxed);
  }
  uint64_t ExpiryOf(uint64_t ttl_seconds) const;

  const RawCodec codec_;
  ReplicatedEngine* const engine_;
  TaskRunner* const read_pool_;
  Clock* const clock_;
  const RawLimits limits_;
  // Of the pool, to guess how long a read would wait.
  std::atomic<int64_t> pool_waiting_{0};
  std::atomic<int64_t> pool_task_nanos_{0};  // A moving mean.
  mutable RawFlow flow_;
  Latches latches_;
  std::function<void(Duration)> on_latched_ = [](Duration) {};
};

}  // namespace tikv::server
