#include "server/storage/raw/ttl_filter.h"

#include <string_view>

#include "server/codec/keys.h"

namespace tikv::server {

class TtlFilterFactory::Filter : public engine::CompactionFilter {
 public:
  Filter(TtlFilterFactory* owner, uint64_t now) : owner_(owner), now_(now) {}

  bool ShouldDrop(std::string_view key, std::string_view value) override {
    if (key.empty() || key.front() != kDataPrefix) return false;
    const bool v2 = owner_->codec_.version() == ApiVersion::kV2;
    if (v2 && (key.size() < 2 || key[1] != 'r')) return false;
    const absl::StatusOr<RawValue> decoded = owner_->codec_.Decode(value);
    if (!decoded.ok() || decoded->VisibleAt(now_)) return false;
    owner_->dropped_.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

 private:
  TtlFilterFactory* owner_;
  uint64_t now_;
};

std::unique_ptr<engine::CompactionFilter> TtlFilterFactory::NewFilter() {
  if (!codec_.ttl_enabled()) return nullptr;
  return std::make_unique<Filter>(this, static_cast<uint64_t>(clock_->Wall().seconds()));
}

}  // namespace tikv::server
