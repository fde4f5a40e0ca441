// An operator: what PD wants to become of one region, as a list of steps.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "pd/schedule/step.h"

namespace tikv::pd {

// What an operator does and for whom; the words are those of the admin API (?kind=).
enum OperatorKind : uint32_t {
  kOpAdmin = 1 << 0,
  kOpMerge = 1 << 1,
  kOpRange = 1 << 2,
  kOpReplica = 1 << 3,
  kOpSplit = 1 << 4,
  kOpHotRegion = 1 << 5,
  kOpRegion = 1 << 6,
  kOpLeader = 1 << 7,
};
// "leader,admin"; "unknown" for 0.
std::string KindText(uint32_t kind);
// 0 for an unknown word.
uint32_t KindByName(std::string_view name);

enum class OperatorPriority { kLow, kMedium, kHigh, kUrgent };
enum class OperatorStatus { kRunning, kSuccess, kCanceled, kReplaced, kTimeout };
// "RUNNING", "SUCCESS", "CANCEL", "REPLACE", "TIMEOUT".
const char* StatusText(OperatorStatus status);
pdpb::OperatorStatus WireStatus(OperatorStatus status);

// A plain value; OperatorController moves it through its steps.
struct Operator {
  std::string desc;   // "balance-leader", "admin-add-peer"
  std::string brief;  // "add peer: store [4]"
  RegionId region;
  metapb::RegionEpoch epoch;  // Of the region when the operator was made.
  uint32_t kind = 0;
  OperatorPriority priority = OperatorPriority::kMedium;
  std::vector<Step> steps;
  uint64_t region_size_mib = 0;

  size_t current = 0;
  OperatorStatus status = OperatorStatus::kRunning;
  std::string why;  // It was cancelled.
  int64_t created_ms = 0, step_started_ms = 0, finished_ms = 0;
  int64_t last_sent_ms = 0;

  bool finished() const { return current >= steps.size(); }
  // The conf_ver that the region may have reached through the steps up to the current one.
  uint64_t ExpectedConfVer() const;
  // "balance-leader {transfer leader: store 1 to 2} (kind:leader, region:7(3, 5), ...)".
  std::string Text() const;
};

}  // namespace tikv::pd
