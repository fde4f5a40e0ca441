#include "pd/cluster/progress.h"

#include <algorithm>
#include <limits>

namespace tikv::pd {
namespace {

constexpr int64_t kWindowMs = 10 * 60'000;  // What the speed is taken from.
constexpr int64_t kSampleMs = 1'000;

}  // namespace

Progress RemovalHistory::Now() const {
  Progress out;
  const Sample& first = samples.front();
  const Sample& last = samples.back();
  if (whole_mib <= 0) return {1, 0, 0};
  out.done = std::clamp(last.moved_mib / whole_mib, 0.0, 1.0);
  const double seconds = static_cast<double>(last.at_ms - first.at_ms) / 1000;
  if (seconds > 0) {
    out.mib_per_second = std::max(0.0, (last.moved_mib - first.moved_mib) / seconds);
  }
  const double left = std::max(0.0, whole_mib - last.moved_mib);
  out.left_seconds = left == 0                 ? 0
                     : out.mib_per_second == 0 ? std::numeric_limits<double>::max()
                                               : left / out.mib_per_second;
  return out;
}

void RemovalProgress::Update(StoreId id, double held_mib, int64_t now_ms) {
  auto [it, fresh] = stores_.try_emplace(id.value);
  RemovalHistory& h = it->second;
  if (fresh) h.whole_mib = held_mib;
  // Regions grow while they wait to be moved.
  const double moved = std::max(0.0, h.whole_mib - held_mib);
  if (!h.samples.empty() && now_ms - h.samples.back().at_ms < kSampleMs) return;
  h.samples.push_back({now_ms, moved});
  while (h.samples.size() > 2 && now_ms - h.samples[1].at_ms >= kWindowMs) h.samples.pop_front();
}

std::optional<Progress> RemovalProgress::Of(StoreId id) const {
  auto it = stores_.find(id.value);
  if (it == stores_.end()) return std::nullopt;
  return it->second.Now();
}

std::optional<Progress> RemovalProgress::Overall() const {
  if (stores_.empty()) return std::nullopt;
  Progress out;
  for (const auto& [id, history] : stores_) {
    const Progress one = history.Now();
    out.done += one.done / static_cast<double>(stores_.size());
    out.mib_per_second += one.mib_per_second / static_cast<double>(stores_.size());
    out.left_seconds = std::max(out.left_seconds, one.left_seconds);
  }
  return out;
}

}  // namespace tikv::pd
