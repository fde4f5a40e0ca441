// RegionError: why a region did not serve a request.  A holder of errorpb::Error that does not
// drag the generated header in; empty means no error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/strong_id.h"

namespace errorpb {
class Error;
}
namespace metapb {
class Peer;
class Region;
}  // namespace metapb

namespace tikv::server {

// Movable, cheap when empty.  Every constructor below fills `message` too.
class RegionError {
 public:
  RegionError() = default;
  explicit RegionError(std::unique_ptr<errorpb::Error> error);
  RegionError(RegionError&&) noexcept;
  RegionError& operator=(RegionError&&) noexcept;
  ~RegionError();

  explicit operator bool() const { return error_ != nullptr; }
  // REQUIRES: not empty.
  const errorpb::Error& proto() const { return *error_; }
  std::string_view message() const;
  // For `reply->set_allocated_region_error(error.Release())`; the caller owns it.
  errorpb::Error* Release() { return error_.release(); }
  RegionError Clone() const;

  static RegionError FromMessage(std::string message);
  static RegionError NotLeader(RegionId region, const metapb::Peer* leader);  // May be null.
  static RegionError RegionNotFound(RegionId region);
  static RegionError KeyNotInRegion(std::string_view key, RegionId region, std::string_view start,
                                    std::string_view end);
  static RegionError EpochNotMatch(std::string message, const std::vector<metapb::Region>& current);
  static RegionError ServerIsBusy(std::string reason, uint64_t backoff_ms = 0,
                                  uint32_t estimated_wait_ms = 0);
  static RegionError StaleCommand();
  static RegionError StoreNotMatch(StoreId requested, StoreId actual);
  static RegionError MismatchPeerId(PeerId requested, PeerId actual);
  static RegionError RaftEntryTooLarge(RegionId region, uint64_t size);
  static RegionError ReadIndexNotReady(RegionId region, std::string reason);
  static RegionError DataIsNotReady(RegionId region, PeerId peer, uint64_t safe_ts);
  static RegionError RegionNotInitialized(RegionId region);
  static RegionError DiskFull(const std::vector<uint64_t>& stores, std::string reason);

 private:
  std::unique_ptr<errorpb::Error> error_;
};

}  // namespace tikv::server
