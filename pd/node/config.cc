#include "pd/node/config.h"

#include <unistd.h>

#include <map>

#include "lib/base/status.h"
#include "lib/config/units.h"
#include "lib/log/level.h"

namespace tikv::pd {
namespace {

std::string HostName() {
  char name[256] = {};
  return gethostname(name, sizeof(name) - 1) == 0 ? name : "localhost";
}

// The scheme and the files must agree: a server that speaks plainly where TLS is expected, or the
// other way round, is found out by nobody until it matters.
absl::Status CheckUrls(std::string_view what, std::string_view urls, bool tls) {
  if (SplitCommas(urls).empty()) return InvalidArgument("{} must not be empty", what);
  for (const std::string& url : SplitCommas(urls)) {
    const std::string address = HostPort(url);
    if (address == url || address.find(':') == std::string::npos) {
      return InvalidArgument("{}: \"{}\": expected http://host:port or https://host:port", what,
                             url);
    }
    if (url.starts_with("https://") && !tls) {
      return InvalidArgument("{}: \"{}\" needs security.cert-path and security.key-path", what,
                             url);
    }
    if (url.starts_with("http://") && tls) {
      return InvalidArgument("{}: \"{}\" has to begin with https:// when there is a certificate",
                             what, url);
    }
  }
  return absl::OkStatus();
}

}  // namespace

void NodeConfig::Security::Visit(config::Visitor& v) {
  v.Field("cacert-path", cacert_path);
  v.Field("cert-path", cert_path);
  v.Field("key-path", key_path);
  v.Field("cert-allowed-cn", cert_allowed_cn);
  v.Field("redact-info-log", redact_info_log);
}

void NodeConfig::Log::File::Visit(config::Visitor& v) {
  v.Field("filename", filename);
  v.Field("max-size", max_size);
  v.Field("max-days", max_days);
  v.Field("max-backups", max_backups);
}

void NodeConfig::Log::Visit(config::Visitor& v) {
  v.Field("level", level);
  v.Field("format", format);
  v.Section("file", file);
}

void NodeConfig::Metric::Visit(config::Visitor& v) {
  v.Field("job", job);
  v.Field("interval", interval);
  v.Field("address", address);
}

void NodeConfig::PdServer::Visit(config::Visitor& v) {
  v.Field("max-gap-reset-ts", max_gap_reset_ts);
}

void NodeConfig::Visit(config::Visitor& v) {
  v.Field("name", name);
  v.Field("data-dir", data_dir);
  v.Field("client-urls", client_urls);
  v.Field("peer-urls", peer_urls);
  v.Field("advertise-client-urls", advertise_client_urls);
  v.Field("advertise-peer-urls", advertise_peer_urls);
  v.Field("initial-cluster", initial_cluster);
  v.Field("initial-cluster-state", initial_cluster_state);
  v.Field("initial-cluster-token", initial_cluster_token);
  v.Field("join", join);
  v.Field("force-new-cluster", force_new_cluster);
  v.Field("lease", lease, {.min = 1});
  v.Field("tso-save-interval", tso_save_interval, {.min = 1e8});
  v.Field("tso-update-physical-interval", tso_update_physical_interval, {.min = 1e6, .max = 1e10});
  v.Field("enable-local-tso", enable_local_tso, {.hidden = true});
  v.Field("quota-backend-bytes", quota_backend_bytes);
  v.Field("auto-compaction-mode", auto_compaction_mode);
  v.Field("auto-compaction-retention", auto_compaction_retention);
  v.Field("tick-interval", tick_interval, {.min = 1e7, .max = 1e9});
  v.Field("election-interval", election_interval, {.min = 1e8, .max = 6e10});
  v.Field("enable-prevote", enable_prevote);
  v.Field("max-request-bytes", max_request_bytes);
  v.Field("max-concurrent-tso-proxy-streamings", max_concurrent_tso_proxy_streamings);
  v.Field("tso-proxy-recv-from-client-timeout", tso_proxy_recv_from_client_timeout);
  v.Section("security", security);
  v.Section("log", log);
  v.Section("metric", metric);
  v.Section("pd-server", pd_server);
}

absl::Status NodeConfig::Validate() const {
  if (security.cert_path.empty() != security.key_path.empty()) {
    return InvalidArgument("security: cert-path and key-path go together");
  }
  const bool tls = !security.cert_path.empty();
  const std::pair<const char*, const std::string*> kUrls[] = {
      {"client-urls", &client_urls},
      {"peer-urls", &peer_urls},
      {"advertise-client-urls", &advertise_client_urls},
      {"advertise-peer-urls", &advertise_peer_urls}};
  for (const auto& [what, urls] : kUrls) {
    const bool optional = std::string_view(what).starts_with("advertise");
    if (!optional || !urls->empty()) RETURN_IF_ERROR(CheckUrls(what, *urls, tls));
  }
  if (!join.empty() && !initial_cluster.empty()) {
    return InvalidArgument("--join and --initial-cluster exclude each other");
  }
  if (!log::ParseLevel(log.level)) {
    return InvalidArgument("log.level: \"{}\": expected debug, info, warn, error or fatal",
                           log.level);
  }
  if (auto_compaction_mode != "periodic" && auto_compaction_mode != "revision") {
    return InvalidArgument("auto-compaction-mode: \"{}\": expected periodic or revision",
                           auto_compaction_mode);
  }
  if (election_interval < tick_interval * 5) {
    return InvalidArgument("election-interval must be at least five times tick-interval");
  }
  return ParseInitialCluster(initial_cluster).status();
}

void NodeConfig::Complete() {
  if (name.empty()) name = "pd-" + HostName();
  if (data_dir.empty()) data_dir = "default." + name;
  if (advertise_client_urls.empty()) advertise_client_urls = client_urls;
  if (advertise_peer_urls.empty()) advertise_peer_urls = peer_urls;
  if (initial_cluster.empty()) {
    for (const std::string& url : SplitCommas(advertise_peer_urls)) {
      if (!initial_cluster.empty()) initial_cluster += ',';
      initial_cluster += name + '=' + url;
    }
  }
}

std::vector<std::string> SplitCommas(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const size_t comma = std::min(text.find(','), text.size());
    std::string_view part = text.substr(0, comma);
    while (!part.empty() && part.front() == ' ') part.remove_prefix(1);
    while (!part.empty() && (part.back() == ' ' || part.back() == '/')) part.remove_suffix(1);
    if (!part.empty()) parts.emplace_back(part);
    text.remove_prefix(std::min(comma + 1, text.size()));
  }
  return parts;
}

std::string HostPort(std::string_view url) {
  for (std::string_view scheme : {"http://", "https://"}) {
    if (url.starts_with(scheme)) return std::string(url.substr(scheme.size()));
  }
  return std::string(url);
}

absl::StatusOr<std::vector<InitialMember>> ParseInitialCluster(std::string_view text) {
  std::map<std::string, std::vector<std::string>> members;
  for (const std::string& part : SplitCommas(text)) {
    const size_t equals = part.find('=');
    if (equals == std::string::npos || equals == 0 || equals + 1 == part.size()) {
      return InvalidArgument("initial-cluster: \"{}\": expected name=http://host:port", part);
    }
    members[part.substr(0, equals)].push_back(part.substr(equals + 1));
  }
  std::vector<InitialMember> out;
  for (auto& [name, urls] : members) out.push_back({name, std::move(urls)});
  return out;
}

}  // namespace tikv::pd
