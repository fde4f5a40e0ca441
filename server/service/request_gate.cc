#include "server/service/request_gate.h"

#include <algorithm>
#include <chrono>

#include "lib/base/status.h"

namespace tikv::server {
namespace {

constexpr char kRawPrefix = 'r';
constexpr std::string_view kRawEnd = "s";  // The first key after all raw keys.
constexpr size_t kKeyspacePrefixBytes = 4;

bool IsRawKeyV2(std::string_view key) {
  return key.size() >= kKeyspacePrefixBytes && key.front() == kRawPrefix;
}

std::string_view RequestVersionName(kvrpcpb::APIVersion version) {
  switch (version) {
    case kvrpcpb::V1:
      return "V1";
    case kvrpcpb::V1TTL:
      return "V1ttl";
    case kvrpcpb::V2:
      return "V2";
    default:
      return "unknown";
  }
}

}  // namespace

absl::Status RequestGate::CheckCluster(const kvrpcpb::Context& context) const {
  if (context.cluster_id() == 0 || context.cluster_id() == cluster_.value) {
    return absl::OkStatus();
  }
  return tikv::InvalidArgument("the request is for cluster {}, this store belongs to cluster {}",
                               context.cluster_id(), cluster_.value);
}

RawError RequestGate::CheckRaw(std::string_view command, const kvrpcpb::Context& context) const {
  const kvrpcpb::APIVersion asked = context.api_version();
  bool fits = false;
  switch (storage_) {
    case ApiVersion::kV1:
      fits = asked == kvrpcpb::V1;
      break;
    case ApiVersion::kV1Ttl:
      fits = asked == kvrpcpb::V1 || asked == kvrpcpb::V1TTL;
      break;
    case ApiVersion::kV2:
      fits = asked == kvrpcpb::V2;
      break;
  }
  if (fits) return {};
  return RawError::ApiVersionNotMatched(command, ApiVersionName(storage_),
                                        RequestVersionName(asked));
}

RawError RequestGate::CheckRawKey(std::string_view command, std::string_view key) const {
  if (storage_ != ApiVersion::kV2 || IsRawKeyV2(key)) return {};
  return RawError::InvalidKeyMode(command, ApiVersionName(storage_), key);
}

RawError RequestGate::CheckRawRange(std::string_view command, std::string_view start,
                                    std::string_view end) const {
  if (storage_ != ApiVersion::kV2) return {};
  for (std::string_view bound : {start, end}) {
    if (IsRawKeyV2(bound) || bound == kRawEnd) continue;
    return RawError::InvalidKeyMode(command, ApiVersionName(storage_), bound);
  }
  return {};
}

RawError RequestGate::CheckTxn(std::string_view command, const kvrpcpb::Context& context) const {
  const bool v2 = storage_ == ApiVersion::kV2;
  const kvrpcpb::APIVersion asked = context.api_version();
  if (v2 ? asked == kvrpcpb::V2 : asked == kvrpcpb::V1) return {};
  return RawError::ApiVersionNotMatched(command, ApiVersionName(storage_),
                                        RequestVersionName(asked));
}

RequestHeader RequestGate::Header(const kvrpcpb::Context& context) const {
  RequestHeader header;
  header.region = RegionId(context.region_id());
  header.peer = PeerId(context.peer().id());
  header.store = StoreId(context.peer().store_id());
  header.conf_ver = context.region_epoch().conf_ver();
  header.version = context.region_epoch().version();
  header.term = context.term();
  header.replica_read = context.replica_read();
  header.stale_read = context.stale_read();
  header.busy_threshold = std::chrono::milliseconds(context.busy_threshold_ms());
  header.fill_cache = !context.not_fill_cache();
  header.disk_full_opt = static_cast<uint8_t>(std::clamp<int>(context.disk_full_opt(), 0, 2));
  if (const uint64_t ms = context.max_execution_duration_ms(); ms != 0) {
    // A day is for ever here, and keeps the sum from overflowing.
    constexpr uint64_t kDayMs = 86'400'000;
    header.deadline = clock_->Now() + std::chrono::milliseconds(std::min(ms, kDayMs));
  }
  return header;
}

}  // namespace tikv::server
