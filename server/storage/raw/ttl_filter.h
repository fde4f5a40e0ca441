// Drops expired raw values while RocksDB compacts.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>

#include "lib/engine/engine.h"
#include "lib/env/clock.h"
#include "server/storage/raw/raw_codec.h"

namespace tikv::server {

// Readers treat expired values as absent already, so dropping them changes nothing they see.  In
// V2 only raw keys ('r') are looked at.  Thread-safe; `clock` must outlive it.
class TtlFilterFactory : public engine::CompactionFilterFactory {
 public:
  TtlFilterFactory(ApiVersion version, Clock* clock) : codec_(version), clock_(clock) {}

  std::unique_ptr<engine::CompactionFilter> NewFilter() override;
  // Pairs dropped so far (tikv_ttl_expire_kv_count_total).
  uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  class Filter;
  RawCodec codec_;
  Clock* clock_;
  std::atomic<uint64_t> dropped_{0};
};

}  // namespace tikv::server
