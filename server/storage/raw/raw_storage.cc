#include "server/storage/raw/raw_storage.h"

#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>

#include "server/storage/raw/raw_read.h"

namespace tikv::server {
namespace {

template <class Result>
Result Failed(RawError error) {
  Result result;
  result.error = std::move(error);
  return result;
}

// Whether the ranges run in the order of the scan; fills open ends in between.
bool ArrangeRanges(bool reverse, std::vector<RawRange>* ranges) {
  for (size_t i = 0; i < ranges->size(); ++i) {
    RawRange& range = (*ranges)[i];
    if (range.end.empty() && i + 1 < ranges->size()) range.end = (*ranges)[i + 1].start;
    if (range.end.empty()) continue;
    const bool forward = range.start < range.end;
    const bool backward = range.start.empty() || range.start > range.end;
    if (reverse ? !backward : !forward) return false;
  }
  return true;
}

}  // namespace

RawStorage::RawStorage(ApiVersion version, ReplicatedEngine* engine, TaskRunner* read_pool,
                       Clock* clock, RawLimits limits)
    : codec_(version), engine_(engine), read_pool_(read_pool), clock_(clock), limits_(limits) {}

void RawStorage::Get(const RequestHeader& header, std::string_view cf_name, std::string_view key,
                     Callback<RawGetResult> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) {
    return std::move(done)(Failed<RawGetResult>(RawError::InvalidCf(cf_name)));
  }
  Read<RawGetResult>(
      header, ReadMode::kDirect, true,
      [this, cf, stored = codec_.Key(key)](const RegionView& view,
                                           const engine::ReadOptions& options) {
        return GetFrom(view, cf, stored, options);
      },
      std::move(done));
}

void RawStorage::GetTtl(const RequestHeader& header, std::string_view cf, std::string_view key,
                        Callback<RawGetResult> done) {
  if (!codec_.ttl_enabled()) {
    return std::move(done)(Failed<RawGetResult>(RawError::TtlNotEnabled()));
  }
  Get(header, cf, key, std::move(done));
}

void RawStorage::BatchGet(const RequestHeader& header, std::string_view cf_name,
                          const std::vector<std::string_view>& keys,
                          Callback<RawPairsResult> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) {
    return std::move(done)(Failed<RawPairsResult>(RawError::InvalidCf(cf_name)));
  }
  std::vector<std::string> owned(keys.begin(), keys.end());
  const bool small = owned.size() <= limits_.max_inline_keys;
  Read<RawPairsResult>(
      header, ReadMode::kSnapshot, small,
      [this, cf, keys = std::move(owned)](const RegionView& view,
                                          const engine::ReadOptions& options) {
        RawPairsResult result;
        size_t bytes = 0;
        for (const std::string& key : keys) {
          RawGetResult got = GetFrom(view, cf, codec_.Key(key), options);
          if (got.error) return Failed<RawPairsResult>(std::move(got.error));
          if (!got.found) continue;
          bytes += key.size() + got.value.size() + kPairOverhead;
          if (bytes > limits_.max_result_bytes) {
            return Failed<RawPairsResult>(RawError::ResultTooLarge(limits_.max_result_bytes));
          }
          result.pairs.emplace_back(key, std::move(got.value));
        }
        return result;
      },
      std::move(done));
}

void RawStorage::Scan(const RequestHeader& header, std::string_view cf_name, RawRange range,
                      const RawScanOptions& options, Callback<RawPairsResult> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) {
    return std::move(done)(Failed<RawPairsResult>(RawError::InvalidCf(cf_name)));
  }
  Read<RawPairsResult>(
      header, ReadMode::kSnapshot, options.limit <= limits_.max_inline_scan,
      [this, cf, range = std::move(range), options](const RegionView& view,
                                                    const engine::ReadOptions& read) {
        RawPairsResult result;
        size_t bytes = 0;
        result.error = ScanInto(view, cf, range, options, read, &bytes, &result.pairs);
        return result;
      },
      std::move(done));
}

void RawStorage::BatchScan(const RequestHeader& header, std::string_view cf_name,
                           std::vector<RawRange> ranges, const RawScanOptions& options,
                           Callback<RawPairsResult> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) {
    return std::move(done)(Failed<RawPairsResult>(RawError::InvalidCf(cf_name)));
  }
  if (!ArrangeRanges(options.reverse, &ranges)) {
    return std::move(done)(Failed<RawPairsResult>(RawError::InvalidKeyRanges()));
  }
  Read<RawPairsResult>(
      header, ReadMode::kSnapshot, false,
      [this, cf, ranges = std::move(ranges), options](const RegionView& view,
                                                      const engine::ReadOptions& read) {
        RawPairsResult result;
        size_t bytes = 0;
        for (const RawRange& range : ranges) {
          result.error = ScanInto(view, cf, range, options, read, &bytes, &result.pairs);
          if (result.error) break;
        }
        return result;
      },
      std::move(done));
}

void RawStorage::Checksum(const RequestHeader& header, std::vector<RawRange> ranges,
                          Callback<RawDigestResult> done) {
  if (!ArrangeRanges(false, &ranges)) {
    return std::move(done)(Failed<RawDigestResult>(RawError::InvalidKeyRanges()));
  }
  Read<RawDigestResult>(
      header, ReadMode::kSnapshot, false,
      [this, ranges = std::move(ranges)](const RegionView& view, const engine::ReadOptions& read) {
        return DigestOf(view, ranges, read.fill_cache);
      },
      std::move(done));
}

void RawStorage::Put(const RequestHeader& header, std::string_view cf_name,
                     const std::vector<RawPair>& pairs, bool atomic, Callback<RawError> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) return std::move(done)(RawError::InvalidCf(cf_name));
  WriteCommand command;
  std::vector<std::string_view> keys;
  for (const RawPair& pair : pairs) {
    if (RawError e = CheckKey(pair.key)) return std::move(done)(std::move(e));
    if (pair.ttl_seconds != 0 && !codec_.ttl_enabled()) {
      return std::move(done)(RawError::TtlNotEnabled());
    }
    if (codec_.ttl_enabled()) {
      command.Put(cf, codec_.Key(pair.key), codec_.Value(pair.value, ExpiryOf(pair.ttl_seconds)));
    } else {
      command.Put(cf, pair.key, pair.value);
    }
    if (atomic) keys.push_back(pair.key);
  }
  Write(header, std::move(command), keys, atomic, std::move(done));
}

void RawStorage::Delete(const RequestHeader& header, std::string_view cf_name,
                        const std::vector<std::string_view>& keys, bool atomic,
                        Callback<RawError> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) return std::move(done)(RawError::InvalidCf(cf_name));
  WriteCommand command;
  for (std::string_view key : keys) {
    if (RawError e = CheckKey(key)) return std::move(done)(std::move(e));
    command.Delete(cf, codec_.Key(key));
  }
  Write(header, std::move(command), keys, atomic, std::move(done));
}

void RawStorage::DeleteRange(const RequestHeader& header, std::string_view cf_name,
                             std::string_view start, std::string_view end,
                             Callback<RawError> done) {
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) return std::move(done)(RawError::InvalidCf(cf_name));
  for (std::string_view key : {start, end}) {
    if (RawError e = CheckKey(key)) return std::move(done)(std::move(e));
  }
  if (start >= end) {
    return std::move(done)(
        RegionError::FromMessage("invalid delete range command: start_key >= end_key"));
  }
  WriteCommand command;
  command.DeleteRange(cf, codec_.Bound(start), codec_.Bound(end));
  Write(header, std::move(command), {}, false, std::move(done));
}

void RawStorage::Write(const RequestHeader& header, WriteCommand command,
                       const std::vector<std::string_view>& keys, bool atomic,
                       Callback<RawError> done) {
  if (command.empty()) return std::move(done)(RawError());
  if (!atomic) {
    engine_->AsyncWrite(header, std::move(command),
                        [done = std::move(done)](WriteResult result) mutable {
                          std::move(done)(std::move(result.error));
                        });
    return;
  }
  // Shared with the branch that is refused: Acquire takes the callback only when it keeps it.
  auto shared = std::make_shared<Callback<RawError>>(std::move(done));
  const bool accepted =
      latches_.Acquire(keys, [this, header, begin = clock_->Now(), command = std::move(command),
                              shared](Latches::Guard guard) mutable {
        on_latched_(clock_->Now() - begin);
        engine_->AsyncWrite(
            header, std::move(command),
            [shared = std::move(shared), guard = std::move(guard)](WriteResult result) mutable {
              guard.Release();
              std::move (*shared)(std::move(result.error));
            });
      });
  if (!accepted) std::move (*shared)(RegionError::ServerIsBusy("scheduler is busy"));
}

void RawStorage::CompareAndSwap(const RequestHeader& given, std::string_view cf_name, RawSwap swap,
                                Callback<RawSwapResult> done) {
  // A replica's read may be granted just as it begins to lead, before it knows all that was
  // written: its term then says nothing about the value.
  RequestHeader header = given;
  header.replica_read = header.stale_read = false;
  engine::Cf cf;
  if (!FindCf(cf_name, &cf)) {
    return std::move(done)(Failed<RawSwapResult>(RawError::InvalidCf(cf_name)));
  }
  if (RawError e = CheckKey(swap.key)) return std::move(done)(Failed<RawSwapResult>(std::move(e)));
  if (swap.ttl_seconds != 0 && !codec_.ttl_enabled()) {
    return std::move(done)(Failed<RawSwapResult>(RawError::TtlNotEnabled()));
  }
  const std::vector<std::string> latched = {swap.key};
  auto shared = std::make_shared<Callback<RawSwapResult>>(std::move(done));
  // Whoever waited is granted the latch on the raft thread, where nothing may read the disk.
  auto inside = std::make_shared<std::atomic<bool>>(true);
  const bool accepted = latches_.Acquire(
      {latched[0]}, [this, header, cf, begin = clock_->Now(), swap = std::move(swap), shared,
                     inside](Latches::Guard guard) mutable {
        on_latched_(clock_->Now() - begin);
        if (*inside) {
          return SwapLatched(header, cf, std::move(swap), std::move(guard), std::move(*shared));
        }
        read_pool_->Post(
            [this, header, cf, swap = std::move(swap), guard = std::move(guard), shared]() mutable {
              SwapLatched(header, cf, std::move(swap), std::move(guard), std::move(*shared));
            });
      });
  *inside = false;
  if (!accepted) {
    std::move (*shared)(Failed<RawSwapResult>(RegionError::ServerIsBusy("scheduler is busy")));
  }
}

void RawStorage::SwapLatched(const RequestHeader& header, engine::Cf cf, RawSwap swap,
                             Latches::Guard guard, Callback<RawSwapResult> done) {
  struct Present {
    RawError error;
    RawGetResult got;
    uint64_t term = 0;
  };
  ReadBody<Present> body = [this, cf, stored = codec_.Key(swap.key)](
                               const RegionView& view, const engine::ReadOptions& options) {
    Present present;
    present.got = GetFrom(view, cf, stored, options);
    present.error = std::move(present.got.error);
    present.term = view.term();
    return present;
  };
  Read<Present>(header, ReadMode::kDirect, true, std::move(body),
                [this, header, cf, swap = std::move(swap), guard = std::move(guard),
                 done = std::move(done)](Present present) mutable {
                  RawSwapResult result;
                  result.error = std::move(present.error);
                  result.previous_exists = present.got.found;
                  result.previous = std::move(present.got.value);
                  FinishSwap(header, cf, std::move(swap), std::move(result), present.term,
                             std::move(guard), std::move(done));
                });
}

void RawStorage::FinishSwap(const RequestHeader& header, engine::Cf cf, RawSwap swap,
                            RawSwapResult result, uint64_t term, Latches::Guard guard,
                            Callback<RawSwapResult> done) {
  const bool matches = swap.expect_absent
                           ? !result.previous_exists
                           : result.previous_exists && result.previous == swap.expected;
  if (result.error || !matches) {
    guard.Release();
    return std::move(done)(std::move(result));
  }
  WriteCommand command;
  // Another leader may have written since we read: its term differs, and the write is refused.
  command.expected_term = term;
  const std::string key = codec_.Key(swap.key);
  if (swap.remove) {
    command.Delete(cf, key);
  } else {
    command.Put(cf, key, codec_.Value(swap.value, ExpiryOf(swap.ttl_seconds)));
  }
  engine_->AsyncWrite(header, std::move(command),
                      [result = std::move(result), guard = std::move(guard),
                       done = std::move(done)](WriteResult written) mutable {
                        result.error = std::move(written.error);
                        result.swapped = !result.error;
                        guard.Release();
                        std::move(done)(std::move(result));
                      });
}

RawError RawStorage::CheckKey(std::string_view key) const {
  if (key.size() <= limits_.max_key_bytes) return {};
  return RawError::KeyTooLarge(key.size(), limits_.max_key_bytes);
}

bool RawStorage::FindCf(std::string_view name, engine::Cf* cf) const {
  const std::optional<engine::Cf> found = engine::CfByName(name);
  if (!found.has_value() || *found == engine::Cf::kRaft) return false;
  if (codec_.version() == ApiVersion::kV2 && *found != engine::Cf::kDefault) return false;
  *cf = *found;
  return true;
}

uint64_t RawStorage::ExpiryOf(uint64_t ttl_seconds) const {
  if (ttl_seconds == 0) return 0;
  const uint64_t now = NowSeconds();
  return ttl_seconds > UINT64_MAX - now ? UINT64_MAX : now + ttl_seconds;
}

}  // namespace tikv::server
