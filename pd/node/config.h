// The part of PD's configuration that holds for one process: names, addresses, files, timing.
// [schedule], [replication] and [pd-server] are the cluster's (pd/core).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "lib/config/visitor.h"

namespace tikv::pd {

// Defaults are PD's but for Raft timing, which is three times faster.  Plain data.
struct NodeConfig {
  std::string name;  // Default: "pd-<host name>".
  std::string data_dir;
  std::string client_urls = "http://127.0.0.1:2379";
  std::string peer_urls = "http://127.0.0.1:2380";
  std::string advertise_client_urls;  // Default: client_urls.
  std::string advertise_peer_urls;    // Default: peer_urls.
  std::string initial_cluster;        // Default: this member alone.
  std::string initial_cluster_state = "new";
  std::string initial_cluster_token = "pd-cluster";
  std::string join;
  bool force_new_cluster = false;

  int64_t lease = 5;  // Seconds; leases here follow the election instead.
  Duration tso_save_interval = std::chrono::seconds(3);
  Duration tso_update_physical_interval = std::chrono::milliseconds(50);
  bool enable_local_tso = false;
  config::Size quota_backend_bytes = config::Size::GiB(8);
  std::string auto_compaction_mode = "periodic";
  std::string auto_compaction_retention = "1h";
  // Heartbeats every fifth, elections after one to two of it.
  Duration tick_interval = std::chrono::milliseconds(100);
  Duration election_interval = std::chrono::seconds(1);
  bool enable_prevote = true;
  config::Size max_request_bytes = config::Size::MiB(150);
  int64_t max_concurrent_tso_proxy_streamings = 5000;
  Duration tso_proxy_recv_from_client_timeout = std::chrono::hours(1);

  struct Security {
    std::string cacert_path;
    std::string cert_path;
    std::string key_path;
    std::vector<std::string> cert_allowed_cn;
    bool redact_info_log = false;
    void Visit(config::Visitor& v);
  } security;

  struct Log {
    std::string level = "info";
    std::string format = "text";
    struct File {
      std::string filename;
      uint64_t max_size = 300;  // MiB
      uint64_t max_days = 0;
      uint64_t max_backups = 10;
      void Visit(config::Visitor& v);
    } file;
    void Visit(config::Visitor& v);
  } log;

  struct Metric {
    std::string job;
    Duration interval = std::chrono::seconds(15);
    std::string address;
    void Visit(config::Visitor& v);
  } metric;

  struct PdServer {
    Duration max_gap_reset_ts = std::chrono::hours(24);
    void Visit(config::Visitor& v);
  } pd_server;

  void Visit(config::Visitor& v);
  // InvalidArgument with one sentence.
  absl::Status Validate() const;
  // Fills in what follows from the rest.
  void Complete();
};

// "a,b" -> {"a", "b"}; empty parts are left out.
std::vector<std::string> SplitCommas(std::string_view text);
// "http://10.0.0.1:2379" -> "10.0.0.1:2379".
std::string HostPort(std::string_view url);

// The members of --initial-cluster: name -> its peer URLs.
struct InitialMember {
  std::string name;
  std::vector<std::string> peer_urls;
};
absl::StatusOr<std::vector<InitialMember>> ParseInitialCluster(std::string_view text);

}  // namespace tikv::pd
