#include "server/port/region_view.h"

#include <array>
#include <cstring>

#include "server/codec/keys.h"

namespace tikv::server {
namespace {

// A data key on the stack: point reads should not allocate.
class ShortDataKey {
 public:
  explicit ShortDataKey(std::string_view key) {
    if (key.size() + 1 > inline_.size()) {
      heap_ = DataKey(key);
      view_ = heap_;
      return;
    }
    inline_[0] = kDataPrefix;
    std::memcpy(inline_.data() + 1, key.data(), key.size());
    view_ = {inline_.data(), key.size() + 1};
  }
  ShortDataKey(const ShortDataKey&) = delete;
  ShortDataKey& operator=(const ShortDataKey&) = delete;

  std::string_view view() const { return view_; }

 private:
  std::array<char, 256> inline_;
  std::string heap_;
  std::string_view view_;
};

}  // namespace

bool RegionView::Contains(std::string_view key) const {
  return InRange(key, region_->start, region_->end);
}

RegionError RegionView::KeyNotInRegion(std::string_view key) const {
  return RegionError::KeyNotInRegion(key, region_->id, region_->start, region_->end);
}

absl::StatusOr<bool> RegionView::Get(engine::Cf cf, std::string_view key,
                                     engine::PinnedValue* value,
                                     const engine::ReadOptions& options) const {
  const ShortDataKey data_key(key);
  return reader_->Get(cf, data_key.view(), value, options);
}

std::unique_ptr<engine::Iterator> RegionView::NewIterator(engine::Cf cf, std::string_view lower,
                                                          std::string_view upper,
                                                          const engine::ReadOptions& read) const {
  std::string_view end = region_->end;
  if (!upper.empty() && (end.empty() || upper < end)) end = upper;
  engine::IteratorOptions options;
  options.lower = DataKey(std::max(lower, std::string_view(region_->start)));
  options.upper = DataEndKey(end);
  options.fill_cache = read.fill_cache;
  options.cache_only = read.cache_only;
  return reader_->NewIterator(cf, std::move(options));
}

}  // namespace tikv::server
