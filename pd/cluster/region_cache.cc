#include "pd/cluster/region_cache.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/engine/engine.h"
#include "pd/core/region_table.h"

namespace tikv::pd {
namespace {

using engine::Cf;

std::string KeyOf(uint64_t id) {
  std::string key = "r";
  PutBig64(&key, id);
  return key;
}

// The descriptor with leader and sizes, as a heartbeat: what the table is made of anyway.
std::string Encode(const RegionInfo& region) {
  pdpb::RegionHeartbeatRequest r;
  *r.mutable_region() = region.meta;
  *r.mutable_leader() = region.leader;
  r.set_approximate_size(region.approximate_size_mib << 20);
  r.set_approximate_keys(region.approximate_keys);
  return r.SerializeAsString();
}

}  // namespace

RegionCache::RegionCache(std::unique_ptr<engine::KvEngine> engine) : engine_(std::move(engine)) {}
RegionCache::~RegionCache() { Flush().IgnoreError(); }

void RegionCache::Save(RegionPtr region) {
  std::lock_guard lock(mu_);
  const uint64_t id = region->meta.id();
  dirty_[id] = std::move(region);
}

void RegionCache::Remove(RegionId id) {
  std::lock_guard lock(mu_);
  dirty_[id.value] = nullptr;
}

absl::Status RegionCache::Flush() {
  absl::flat_hash_map<uint64_t, RegionPtr> dirty;
  {
    std::lock_guard lock(mu_);
    dirty.swap(dirty_);
  }
  if (dirty.empty()) return absl::OkStatus();
  engine::WriteBatch batch;
  for (const auto& [id, region] : dirty) {
    if (region == nullptr) {
      batch.Delete(Cf::kDefault, KeyOf(id));
    } else {
      batch.Put(Cf::kDefault, KeyOf(id), Encode(*region));
    }
    constexpr size_t kMaxBatchBytes = 1 << 20;
    if (batch.byte_size() > kMaxBatchBytes) RETURN_IF_ERROR(engine_->Write(&batch));
  }
  return engine_->Write(&batch);
}

absl::Status RegionCache::Load(RegionTable* table) {
  auto it = engine_->NewIterator(Cf::kDefault, {.lower = "r", .upper = "s", .fill_cache = false});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    pdpb::RegionHeartbeatRequest r;
    if (!r.ParseFromArray(it->value().data(), static_cast<int>(it->value().size()))) continue;
    auto region = TakeRegion(&r);
    region->reported = false;
    if (region->meta.id() != 0 && table->Check(*region).ok()) table->Put(std::move(region));
  }
  return it->status();
}

absl::Status RegionCache::Clear() {
  {
    std::lock_guard lock(mu_);
    dirty_.clear();
  }
  engine::WriteBatch batch;
  batch.DeleteRange(Cf::kDefault, "r", "s");
  return engine_->Write(&batch);
}

}  // namespace tikv::pd
