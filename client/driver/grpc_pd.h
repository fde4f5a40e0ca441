// PdAccess over a channel that follows PD's leader.
#pragma once

#include "client/driver/ports.h"
#include "lib/pdchannel/pd_channel.h"

namespace tikv::client {

// Thread-safe.  The channel must outlive it.
class GrpcPd final : public PdAccess {
 public:
  // `timeout`: of one call, with all its retries.
  GrpcPd(pdchannel::PdChannel* channel, Duration timeout) : channel_(channel), timeout_(timeout) {}

  void GetRegion(std::string key, bool before, Callback<absl::StatusOr<PdRegion>> done) override;
  void GetStore(uint64_t id, Callback<absl::StatusOr<metapb::Store>> done) override;

 private:
  pdchannel::PdChannel* channel_;
  const Duration timeout_;
};

}  // namespace tikv::client
