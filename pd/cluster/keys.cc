#include "pd/cluster/keys.h"

#include <fmt/core.h>

namespace tikv::pd {

std::string Keys::Store(uint64_t id) const { return Stores() + fmt::format("{:020}", id); }
std::string Keys::Region(uint64_t id) const { return Regions() + fmt::format("{:020}", id); }
std::string Keys::LeaderWeight(uint64_t store) const {
  return Weights() + fmt::format("{:020}/leader", store);
}
std::string Keys::RegionWeight(uint64_t store) const {
  return Weights() + fmt::format("{:020}/region", store);
}

}  // namespace tikv::pd
