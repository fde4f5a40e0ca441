// diagnostics: what machine this store runs on, for the cluster's information tables.
#pragma once

#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/rpc/typed.h"
#include "proto/diagnosticspb.pb.h"

namespace tikv::server {

// Reads /proc when asked, on `background`.  Log search is not offered (UNIMPLEMENTED).  The ports
// must outlive it, and it the server it registers with.
class DiagnosticsService {
 public:
  DiagnosticsService(FileSystem* files, TaskRunner* background)
      : files_(files), background_(background) {}
  void Register(rpc::Server* server);

 private:
  using Response = diagnosticspb::ServerInfoResponse;
  Response Collect(diagnosticspb::ServerInfoType type) const;
  void AddHardware(Response* out) const;
  void AddLoad(Response* out) const;
  void AddSystem(Response* out) const;

  FileSystem* const files_;
  TaskRunner* const background_;
};

}  // namespace tikv::server
