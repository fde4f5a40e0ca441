// The running configuration behind the status address.
#pragma once

#include <mutex>
#include <string>

#include "lib/config/config.h"
#include "lib/env/file_system.h"
#include "server/node/config.h"
#include "server/service/status_service.h"

namespace tikv::server {

// Thread-safe.  `files` must outlive it.
class LiveConfig : public ConfigAccess {
 public:
  // `path`: the file given by --config; "" when there is none: then changes go to last_tikv.toml.
  LiveConfig(NodeConfig config, std::string path, FileSystem* files)
      : live_(std::move(config)), path_(std::move(path)), files_(files) {}

  std::shared_ptr<const NodeConfig> Get() const { return live_.Get(); }
  void Observe(config::Live<NodeConfig>::Observer observer) { live_.Observe(std::move(observer)); }
  // Writes last_tikv.toml, the configuration of the last start, into the data folder.
  absl::Status WriteLast();

  std::string Json() override;
  // Persisting changes these keys in the file, atomically; its other text stays as it is.
  absl::Status Change(std::string_view changes, bool persist) override;
  absl::Status Reload() override;

 private:
  std::string LastPath() const;
  absl::Status Persist(std::string_view changes);

  config::Live<NodeConfig> live_;
  const std::string path_;
  FileSystem* const files_;
  std::mutex file_mutex_;
};

}  // namespace tikv::server
