#include "pd/schedule/scheduler.h"

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace tikv::pd {

Scheduler::Json Scheduler::ConfigJson() const { return Json::object(); }

absl::Status Scheduler::Configure(const Json&) {
  return InvalidArgument("Config item is not found.");
}

void Scheduler::Load(const Json&) {}

std::unique_ptr<Scheduler> NewScheduler(std::string_view name) {
  if (name == "balance-leader-scheduler") return std::make_unique<BalanceLeader>();
  if (name == "balance-region-scheduler") return std::make_unique<BalanceRegion>();
  if (name == "balance-hot-region-scheduler") return std::make_unique<BalanceHotRegion>();
  if (name == "evict-leader-scheduler") return std::make_unique<EvictLeader>();
  if (name == "grant-leader-scheduler") return std::make_unique<GrantLeader>();
  if (name == "evict-slow-store-scheduler") return std::make_unique<EvictSlowStore>();
  if (name == "shuffle-leader-scheduler") return std::make_unique<ShuffleLeader>();
  return nullptr;
}

const std::vector<std::string>& DefaultSchedulers() {
  static const auto* const kNames =
      new std::vector<std::string>{"balance-region-scheduler", "balance-leader-scheduler",
                                   "balance-hot-region-scheduler", "evict-slow-store-scheduler"};
  return *kNames;
}

}  // namespace tikv::pd
