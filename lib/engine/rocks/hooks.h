// What RocksDB calls back: compaction filters and background errors.  Included by this folder only.
#pragma once

#include <rocksdb/compaction_filter.h>
#include <rocksdb/listener.h>

#include <mutex>

#include "lib/engine/engine.h"

namespace tikv::engine {

// RocksDB takes its factory once, at open; this one asks whatever factory is set at the moment.
class FilterSwitch final : public rocksdb::CompactionFilterFactory {
 public:
  void Set(std::shared_ptr<engine::CompactionFilterFactory> factory);
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context& context) override;
  const char* Name() const override { return "tikv.FilterSwitch"; }

 private:
  std::mutex mutex_;
  std::shared_ptr<engine::CompactionFilterFactory> factory_;
};

// Remembers why RocksDB stopped writing.
class ErrorListener final : public rocksdb::EventListener {
 public:
  absl::Status status() const;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* error) override;
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override;

 private:
  mutable std::mutex mutex_;
  absl::Status status_;
};

}  // namespace tikv::engine
