// How a member with an empty data directory becomes part of a cluster.
#pragma once

#include <absl/status/statusor.h>

#include "pd/meta/storage.h"
#include "pd/node/config.h"

namespace tikv::rpc {
class ChannelPool;
}

namespace tikv::pd {

// The identity of one of the first members; `config.initial_cluster` lists them all.  Asks the
// others whether this member has lived before: then its data is lost, and starting afresh under
// the same name could undo what it once promised.  Blocks for about a second at most.
absl::StatusOr<meta::Identity> PrepareBootstrap(const NodeConfig& config,
                                                rpc::ChannelPool* channels);

// Asks the cluster behind `config.join` to take this member up, or finds that a start that was cut
// short did so already.  FailedPrecondition, with PD's texts, when names or URLs are taken.
absl::StatusOr<meta::Identity> PrepareJoin(const NodeConfig& config, rpc::ChannelPool* channels);

}  // namespace tikv::pd
