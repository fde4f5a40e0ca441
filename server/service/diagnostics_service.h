// diagnostics: what machine this store runs on and what it logged, for the cluster's information
// tables.
#pragma once

#include <string>
#include <vector>

#include "lib/env/executor.h"
#include "lib/env/file_system.h"
#include "lib/rpc/typed.h"
#include "proto/diagnosticspb.pb.h"

namespace tikv::server {

// Reads /proc and the log files when asked, on `background`.  The ports must outlive it, and it the
// server it registers with.
class DiagnosticsService {
 public:
  // `log_files`: oldest first; none when the log goes elsewhere.  `data_dir`: whose disk is shown.
  DiagnosticsService(FileSystem* files, TaskRunner* background, std::vector<std::string> log_files,
                     std::string data_dir)
      : files_(files),
        background_(background),
        log_files_(std::move(log_files)),
        data_dir_(std::move(data_dir)) {}
  void Register(rpc::Server* server);

 private:
  using Response = diagnosticspb::ServerInfoResponse;
  Response Collect(diagnosticspb::ServerInfoType type) const;
  void Search(const diagnosticspb::SearchLogRequest& request,
              rpc::TypedStream<diagnosticspb::SearchLogResponse> stream) const;
  void AddHardware(Response* out) const;
  void AddLoad(Response* out) const;
  void AddSystem(Response* out) const;

  FileSystem* const files_;
  TaskRunner* const background_;
  const std::vector<std::string> log_files_;
  const std::string data_dir_;
};

}  // namespace tikv::server
