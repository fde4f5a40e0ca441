// Calls that a client sent here but meant for another member.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"

namespace tikv::pd::meta {
class MetaStore;
}

namespace tikv::pd {

// Passes calls on to other members of this cluster, and only to them: the metadata
// "pd-forwarded-host" names one by its client URL.  Thread-safe.
class Forwarder {
 public:
  // Both must outlive the forwarder and its calls.
  Forwarder(meta::MetaStore* meta, rpc::ChannelPool* channels) : meta_(meta), channels_(channels) {}

  // nullopt: to be handled here.  Unavailable for a host that is no member.
  absl::StatusOr<std::optional<std::string>> Target(const rpc::CallContext& context) const;
  // The leader's client URL when the caller lets followers serve region reads
  // ("pd-allow-follower-handle"): a follower asks the leader on its behalf.
  std::optional<std::string> LeaderForReads(const rpc::CallContext& context) const;

  void Unary(const std::string& target, std::string request, rpc::RawResponder responder) const;
  std::unique_ptr<rpc::StreamHandler> Stream(const std::string& target,
                                             rpc::ServerStream stream) const;

 private:
  meta::MetaStore* meta_;
  rpc::ChannelPool* channels_;
};

}  // namespace tikv::pd
