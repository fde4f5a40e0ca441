// Sends the metadata of one snapshot to a member that lags behind or is new.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "lib/env/executor.h"
#include "lib/rpc/channel.h"

namespace tikv::engine {
class Snapshot;
}

namespace tikv::pd::meta {

// Opens a stream on `channel`, sends `head` and then the chunks of `state`, read on `pool` and no
// faster than the receiver takes them.  `done` says whether all of it arrived.
void SendSnapshotOver(rpc::Channel& channel, std::string_view path, rpc::CallOptions options,
                      TaskRunner* pool, std::string head,
                      std::shared_ptr<const engine::Snapshot> state,
                      std::function<void(bool)> done);

}  // namespace tikv::pd::meta
