// Receives the metadata of one snapshot into a file.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/rpc/server.h"
#include "proto/eraftpb.pb.h"

namespace tikv::pd::meta {

// `received` gets the message and the file once it is whole and durable, on `files`; the sender
// is told OK then.  Incomplete files are removed.
std::unique_ptr<rpc::StreamHandler> NewSnapshotReceiver(
    rpc::ServerStream stream, FileSystem* fs, Executor* files, const std::string& dir,
    std::function<void(eraftpb::Message message, std::string path)> received);

}  // namespace tikv::pd::meta
