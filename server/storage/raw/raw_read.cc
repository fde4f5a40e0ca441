// How RawStorage reads out of a granted view.
#include "server/storage/raw/raw_read.h"

#include "server/codec/keys.h"

namespace tikv::server {
namespace {

// A stored range cut to what the iterator needs; keys as the region holds them.
struct StoredRange {
  std::string lower;
  std::string upper;
  bool empty = false;
};

StoredRange StoredRangeOf(const RawCodec& codec, const RawRange& range, bool reverse) {
  StoredRange out{codec.Bound(reverse ? range.end : range.start),
                  codec.Bound(reverse ? range.start : range.end)};
  out.empty = !out.upper.empty() && out.lower >= out.upper;
  return out;
}

// The first bound of a scan must lie in the region: a client that asks elsewhere has an old map.
RegionError CheckBounds(const RegionView& view, const StoredRange& range, bool reverse) {
  if (!reverse) {
    return view.Contains(range.lower) ? RegionError() : view.KeyNotInRegion(range.lower);
  }
  const RegionRange& region = view.region();
  const bool at_end = range.upper == region.end;
  if (range.upper.empty() || at_end || view.Contains(range.upper)) return {};
  return view.KeyNotInRegion(range.upper);
}

}  // namespace

RawGetResult RawStorage::GetFrom(const RegionView& view, engine::Cf cf, std::string_view key,
                                 const engine::ReadOptions& options) const {
  RawGetResult result;
  if (!view.Contains(key)) {
    result.error = view.KeyNotInRegion(key);
    return result;
  }
  engine::PinnedValue stored;
  const absl::StatusOr<bool> found = view.Get(cf, key, &stored, options);
  if (!found.ok()) {
    result.error = options.cache_only && absl::IsUnavailable(found.status())
                       ? RawError::CacheMiss()
                       : RawError::Engine(found.status());
    return result;
  }
  if (!*found) return result;
  const absl::StatusOr<RawValue> value = codec_.Decode(stored.view());
  if (!value.ok()) {
    result.error = RawError::Engine(value.status());
    return result;
  }
  const uint64_t now = codec_.ttl_enabled() ? NowSeconds() : 0;
  if (!value->VisibleAt(now)) return result;
  result.found = true;
  result.value = value->value;
  CountRead(1, key.size() + value->value.size());
  if (value->expires_at != 0) result.ttl_seconds = value->expires_at - now;
  return result;
}

RawError RawStorage::ScanInto(const RegionView& view, engine::Cf cf, const RawRange& range,
                              const RawScanOptions& options, const engine::ReadOptions& read,
                              size_t* bytes,
                              std::vector<std::pair<std::string, std::string>>* pairs) const {
  const StoredRange stored = StoredRangeOf(codec_, range, options.reverse);
  if (RegionError e = CheckBounds(view, stored, options.reverse)) return e;
  if (stored.empty || options.limit == 0) return {};
  const std::unique_ptr<engine::Iterator> it =
      view.NewIterator(cf, stored.lower, stored.upper, read);
  const uint64_t now = NowSeconds();
  const size_t before = *bytes;
  uint32_t taken = 0;
  size_t visited = 0;
  for (options.reverse ? it->SeekToLast() : it->SeekToFirst(); it->Valid() && taken < options.limit;
       options.reverse ? it->Prev() : it->Next()) {
    if (read.cache_only && ++visited > limits_.max_inline_visits) return RawError::CacheMiss();
    const absl::StatusOr<RawValue> value = codec_.Decode(it->value());
    if (!value.ok()) return RawError::Engine(value.status());
    if (!value->VisibleAt(now)) continue;
    std::optional<std::string> key = codec_.UserKey(StripDataPrefix(it->key()));
    if (!key.has_value()) continue;  // Not a raw key: transactions share V2's key space.
    *bytes += key->size() + (options.key_only ? 0 : value->value.size()) + kPairOverhead;
    if (*bytes > limits_.max_result_bytes) {
      return RawError::ResultTooLarge(limits_.max_result_bytes);
    }
    pairs->emplace_back(*std::move(key),
                        options.key_only ? std::string() : std::string(value->value));
    ++taken;
  }
  if (read.cache_only && absl::IsUnavailable(it->status())) return RawError::CacheMiss();
  if (!it->status().ok()) return RawError::Engine(it->status());
  CountRead(taken, *bytes - before - taken * kPairOverhead);
  return {};
}

RawDigestResult RawStorage::DigestOf(const RegionView& view, const std::vector<RawRange>& ranges,
                                     bool fill_cache) const {
  RawDigestResult result;
  const uint64_t now = NowSeconds();
  for (const RawRange& range : ranges) {
    const StoredRange stored = StoredRangeOf(codec_, range, false);
    if (result.error = CheckBounds(view, stored, false); result.error) return result;
    const std::unique_ptr<engine::Iterator> it = view.NewIterator(
        engine::Cf::kDefault, stored.lower, stored.upper, {.fill_cache = fill_cache});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      const absl::StatusOr<RawValue> value = codec_.Decode(it->value());
      if (!value.ok()) {
        result.error = RawError::Engine(value.status());
        return result;
      }
      const std::optional<std::string> key = codec_.UserKey(StripDataPrefix(it->key()));
      if (value->VisibleAt(now) && key.has_value()) result.digest.Add(*key, it->value());
    }
    if (!it->status().ok()) {
      result.error = RawError::Engine(it->status());
      return result;
    }
  }
  return result;
}

}  // namespace tikv::server
