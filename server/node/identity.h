// Who this store is, and how a cluster begins.
#pragma once

#include <absl/status/statusor.h>

#include <functional>

#include "lib/base/strong_id.h"
#include "lib/engine/engine.h"
#include "proto/metapb.pb.h"
#include "server/pdclient/pd_client.h"
#include "server/storage/raw/raw_codec.h"

namespace tikv::server {

// Kept in the data folder (StoreIdent), written once.
struct StoreIdentity {
  ClusterId cluster;
  StoreId store;
  ApiVersion api = ApiVersion::kV1;
};

// Reads the folder's identity, or takes a new id from PD and writes it.  FailedPrecondition, in
// one sentence, when the folder belongs to another cluster or was created in another mode.
// Blocks on PD: for the main thread.
absl::StatusOr<StoreIdentity> LoadOrCreateIdentity(engine::KvEngine* engine, PdClient* pd,
                                                   ApiVersion api, const std::string& data_dir);

// Makes the cluster's first region here, unless PD knows the cluster already.  A crash in between
// is continued by the next call: the region is written and marked before PD hears of it, and
// dropped again when another store was first.  Blocks on PD.  Call before raftstore recovers.
absl::Status BootstrapCluster(engine::KvEngine* engine, PdClient* pd, const metapb::Store& store);

}  // namespace tikv::server
