#include "lib/engine/rocks/hooks.h"

#include "lib/engine/rocks/iterator.h"
#include "lib/engine/rocks/status.h"

namespace tikv::engine {
namespace {

class RocksFilter final : public rocksdb::CompactionFilter {
 public:
  explicit RocksFilter(std::unique_ptr<engine::CompactionFilter> filter)
      : filter_(std::move(filter)) {}

  bool Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*,
              bool*) const override {
    return filter_->ShouldDrop(ToView(key), ToView(value));
  }
  const char* Name() const override { return "tikv.RocksFilter"; }

 private:
  const std::unique_ptr<engine::CompactionFilter> filter_;
};

}  // namespace

void FilterSwitch::Set(std::shared_ptr<engine::CompactionFilterFactory> factory) {
  std::lock_guard lock(mutex_);
  factory_ = std::move(factory);
}

std::unique_ptr<rocksdb::CompactionFilter> FilterSwitch::CreateCompactionFilter(
    const rocksdb::CompactionFilter::Context&) {
  std::shared_ptr<engine::CompactionFilterFactory> factory;
  {
    std::lock_guard lock(mutex_);
    factory = factory_;
  }
  auto filter = factory == nullptr ? nullptr : factory->NewFilter();
  return filter == nullptr ? nullptr : std::make_unique<RocksFilter>(std::move(filter));
}

absl::Status ErrorListener::status() const {
  std::lock_guard lock(mutex_);
  return status_;
}

void ErrorListener::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) {
  std::lock_guard lock(mutex_);
  status_ = FromRocks(*error, "background work");
}

void ErrorListener::OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) {
  std::lock_guard lock(mutex_);
  status_ = FromRocks(info.new_bg_error, "background work");
}

}  // namespace tikv::engine
