#include "pd/schedule/operator.h"

#include <fmt/core.h>

#include "pd/core/duration.h"

namespace tikv::pd {
namespace {

constexpr std::pair<uint32_t, std::string_view> kKindNames[] = {
    {kOpAdmin, "admin"},     {kOpMerge, "merge"},   {kOpRange, "range"},
    {kOpReplica, "replica"}, {kOpSplit, "split"},   {kOpHotRegion, "hot-region"},
    {kOpRegion, "region"},   {kOpLeader, "leader"},
};

}  // namespace

std::string KindText(uint32_t kind) {
  std::string out;
  // The original lists the bits from the highest to the lowest.
  for (auto it = std::rbegin(kKindNames); it != std::rend(kKindNames); ++it) {
    if ((kind & it->first) == 0) continue;
    if (!out.empty()) out += ",";
    out += it->second;
  }
  return out.empty() ? "unknown" : out;
}

uint32_t KindByName(std::string_view name) {
  for (const auto& [bit, known] : kKindNames) {
    if (known == name) return bit;
  }
  return 0;
}

const char* StatusText(OperatorStatus status) {
  switch (status) {
    case OperatorStatus::kRunning:
      return "RUNNING";
    case OperatorStatus::kSuccess:
      return "SUCCESS";
    case OperatorStatus::kCanceled:
      return "CANCEL";
    case OperatorStatus::kReplaced:
      return "REPLACE";
    case OperatorStatus::kTimeout:
      return "TIMEOUT";
  }
  return "UNKNOWN";
}

pdpb::OperatorStatus WireStatus(OperatorStatus status) {
  switch (status) {
    case OperatorStatus::kRunning:
      return pdpb::RUNNING;
    case OperatorStatus::kSuccess:
      return pdpb::SUCCESS;
    case OperatorStatus::kCanceled:
      return pdpb::CANCEL;
    case OperatorStatus::kReplaced:
      return pdpb::REPLACE;
    case OperatorStatus::kTimeout:
      return pdpb::TIMEOUT;
  }
  return pdpb::CANCEL;
}

uint64_t Operator::ExpectedConfVer() const {
  uint64_t v = epoch.conf_ver();
  for (size_t i = 0; i <= current && i < steps.size(); ++i) v += ConfVerRise(steps[i]);
  return v;
}

std::string Operator::Text() const {
  std::string list;
  for (size_t i = 0; i < steps.size(); ++i) {
    list += fmt::format("{}{}:{{{}}}", i == 0 ? "" : ", ", i, Describe(steps[i]));
  }
  int64_t timeout_ms = 0;
  for (const Step& step : steps) timeout_ms += TimeoutMs(step, region_size_mib);
  return fmt::format(
      "{} {{{}}} (kind:{}, region:{}({}, {}), createAt:{}, startAt:{}, currentStep:{}, size:{}, "
      "steps:[{}], timeout:[{}]){}{}",
      desc, brief, KindText(kind), region.value, epoch.version(), epoch.conf_ver(),
      FormatTime(created_ms * 1'000'000), FormatTime(created_ms * 1'000'000), current,
      region_size_mib, list, FormatDuration(timeout_ms * 1'000'000), finished() ? " finished" : "",
      why.empty() ? "" : ", " + why);
}

}  // namespace tikv::pd
