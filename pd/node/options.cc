#include "pd/node/options.h"

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "lib/config/command_line.h"
#include "lib/config/config.h"
#include "lib/config/literal.h"
#include "lib/env/posix/file_system.h"
#include "pd/core/config.h"

namespace tikv::pd {
namespace {

// Flags as given; unset ones leave the configuration alone.
struct Flags : config::CommonFlags {
  std::optional<std::string> name, data_dir, client_urls, advertise_client_urls, peer_urls,
      advertise_peer_urls, initial_cluster, join, metrics_addr, cacert, cert, key;
  bool force_new_cluster = false;
};

void Declare(CLI::App* app, Flags* flags) {
  config::Declare(app, flags);
  app->add_option("--name", flags->name, "Name of this member [pd-<host name>]");
  app->add_option("--data-dir", flags->data_dir, "Folder of the data [default.<name>]");
  app->add_option("--client-urls", flags->client_urls,
                  "URLs to serve clients on [http://127.0.0.1:2379]");
  app->add_option("--advertise-client-urls", flags->advertise_client_urls,
                  "URLs that clients use [--client-urls]");
  app->add_option("--peer-urls", flags->peer_urls,
                  "URLs to serve other members on [http://127.0.0.1:2380]");
  app->add_option("--advertise-peer-urls", flags->advertise_peer_urls,
                  "URLs that other members use [--peer-urls]");
  app->add_option("--initial-cluster", flags->initial_cluster,
                  "First members: name=peer-url[,name=peer-url...] [this one alone]");
  app->add_option("--join", flags->join, "Client URLs of a cluster to join");
  app->add_option("--metrics-addr", flags->metrics_addr, "Address of a Prometheus push gateway");
  app->add_option("--cacert", flags->cacert, "PEM file with the trusted authorities");
  app->add_option("--cert", flags->cert, "PEM file with this member's certificate");
  app->add_option("--key", flags->key, "PEM file with its private key");
  app->add_flag("--force-new-cluster", flags->force_new_cluster,
                "Go on alone with this member's data after the majority was lost for good");
}

void ApplyFlags(const Flags& flags, NodeConfig* config) {
  using config::Take;
  config::Apply(flags, config);
  Take(flags.name, &config->name);
  Take(flags.data_dir, &config->data_dir);
  Take(flags.client_urls, &config->client_urls);
  Take(flags.advertise_client_urls, &config->advertise_client_urls);
  Take(flags.peer_urls, &config->peer_urls);
  Take(flags.advertise_peer_urls, &config->advertise_peer_urls);
  Take(flags.initial_cluster, &config->initial_cluster);
  Take(flags.join, &config->join);
  Take(flags.metrics_addr, &config->metric.address);
  Take(flags.cacert, &config->security.cacert_path);
  Take(flags.cert, &config->security.cert_path);
  Take(flags.key, &config->security.key_path);
  config->force_new_cluster = config->force_new_cluster || flags.force_new_cluster;
}

// Sections that pd/core reads, or that belong to features this server has in another form.
bool IsElsewhere(const std::string& warning) {
  for (const char* section :
       {"schedule", "replication", "pd-server", "label-property", "dashboard", "replication-mode",
        "keyspace", "micro-service", "controller", "cluster-version", "security.encryption"}) {
    if (warning.find(std::string(" ") + section + ".") != std::string::npos) return true;
    if (warning.ends_with(std::string(" ") + section)) return true;
  }
  return false;
}

// The cluster's own sections, which Cluster takes from the text later, when an error could only be
// ignored.
absl::Status CheckClusterSections(const std::string& path, CommandLine* out) {
  ASSIGN_OR_RETURN(const config::Table table, config::ParseToml(out->config_text, path));
  Config trial;
  for (const auto& [section, literal] : table) {
    const auto* members = std::get_if<config::Table>(&literal.value);
    const Config::Json& known = trial.Section(section);
    if (members == nullptr || !known.is_object() || section == "label-property") continue;
    config::Table items;
    for (const config::Member& item : *members) {
      if (known.contains(item.name)) {
        items.push_back(item);
      } else {
        out->warnings.push_back(
            fmt::format("{}:{}: unknown key {}.{}", path, item.literal.line, section, item.name));
      }
    }
    const auto json = Config::Json::parse(config::WriteJson(items), nullptr, false);
    RETURN_IF_ERROR(
        Annotate(trial.UpdateSection(section, json), fmt::format("{}: {}", path, section)));
  }
  return absl::OkStatus();
}

absl::Status LoadFile(const std::string& path, bool strict, CommandLine* out) {
  PosixFileSystem fs;
  ASSIGN_OR_RETURN(out->config_text, ReadFile(&fs, path));
  ASSIGN_OR_RETURN(out->warnings,
                   config::LoadToml(out->config_text, path, /*strict=*/false, &out->config));
  std::erase_if(out->warnings, IsElsewhere);
  RETURN_IF_ERROR(CheckClusterSections(path, out));
  if (strict && !out->warnings.empty()) return InvalidArgument("{}", out->warnings.front());
  return absl::OkStatus();
}

CommandLine Ended(CommandLine::Action action, std::string text) {
  CommandLine out;
  out.action = action;
  out.text = std::move(text);
  return out;
}

}  // namespace

std::string ReportedVersion() { return "v8.5.4"; }
std::string OwnVersion() { return "v0.1.0"; }

CommandLine ParseCommandLine(int argc, char** argv) {
  using Action = CommandLine::Action;
  CLI::App app{"pd-server: the placement driver of a TiKV cluster", "pd-server"};
  Flags flags;
  Declare(&app, &flags);
  if (auto end = config::Parse(&app, argc, argv)) {
    return Ended(end->asked ? Action::kPrint : Action::kFail, std::move(end->text));
  }
  if (flags.version) {
    return Ended(Action::kPrint,
                 fmt::format("TiKV for Kubernetes\nRelease Version: {}\nCompatible With: PD {}\n",
                             OwnVersion(), ReportedVersion()));
  }
  CommandLine out;
  absl::Status status = absl::OkStatus();
  if (flags.config) status = LoadFile(*flags.config, flags.config_check, &out);
  if (status.ok()) {
    ApplyFlags(flags, &out.config);
    status = out.config.Validate();
  }
  if (!status.ok()) {
    return Ended(Action::kFail, fmt::format("pd-server: {}\n", Message(status)));
  }
  if (flags.config_check) return Ended(Action::kPrint, "config check successful\n");
  out.config.Complete();
  return out;
}

}  // namespace tikv::pd
