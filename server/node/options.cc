#include "server/node/options.h"

#include <CLI/CLI.hpp>
#include <sstream>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/config/command_line.h"
#include "lib/config/config.h"
#include "lib/env/posix/file_system.h"

namespace tikv::server {
namespace {

// Flags as given; unset ones leave the configuration alone.
struct Flags : config::CommonFlags {
  std::optional<std::string> addr, advertise_addr, status_addr, advertise_status_addr;
  std::optional<std::string> data_dir, capacity, pd, labels, config_info;
  bool print_sample_config = false;
};

void Declare(CLI::App* app, Flags* flags) {
  config::Declare(app, flags);
  app->add_flag("--print-sample-config", flags->print_sample_config,
                "Print all configuration keys with their defaults and exit");
  app->add_option("--config-info", flags->config_info,
                  "Print the configuration keys in this format (json) and exit");
  app->add_option("-A,--addr", flags->addr, "Address to serve clients and stores on, host:port");
  app->add_option("--advertise-addr", flags->advertise_addr,
                  "Address that clients and other stores use [--addr]");
  app->add_option("--status-addr", flags->status_addr, "Address of the HTTP status server");
  app->add_option("--advertise-status-addr", flags->advertise_status_addr,
                  "Status address that others use [--status-addr]");
  app->add_option("-s,--data-dir,--store", flags->data_dir, "Folder of the data");
  app->add_option("--capacity", flags->capacity,
                  "Most that may be stored, such as 100GiB; 0: disk");
  app->add_option("--pd,--pd-endpoints", flags->pd, "PD addresses, separated by commas");
  app->add_option("--labels", flags->labels, "Labels of this store, such as zone=a,host=b");
}

std::vector<std::string> SplitCommas(const std::string& text) {
  std::vector<std::string> parts;
  std::istringstream in(text);
  for (std::string part; std::getline(in, part, ',');) {
    if (!part.empty()) parts.push_back(part);
  }
  return parts;
}

absl::Status ApplyFlags(const Flags& flags, NodeConfig* config) {
  using config::Take;
  config::Apply(flags, config);
  Take(flags.addr, &config->server.addr);
  Take(flags.advertise_addr, &config->server.advertise_addr);
  Take(flags.status_addr, &config->server.status_addr);
  Take(flags.advertise_status_addr, &config->server.advertise_status_addr);
  Take(flags.data_dir, &config->storage.data_dir);
  if (flags.pd.has_value()) config->pd.endpoints = SplitCommas(*flags.pd);
  if (flags.capacity.has_value()) {
    const absl::StatusOr<Size> capacity = config::ParseSize(*flags.capacity);
    if (!capacity.ok()) return Annotate(capacity.status(), "--capacity");
    config->raftstore.capacity = *capacity;
  }
  if (flags.labels.has_value()) {
    for (const std::string& label : SplitCommas(*flags.labels)) {
      const size_t equals = label.find('=');
      if (equals == std::string::npos || equals == 0) {
        return InvalidArgument("--labels: \"{}\": expected key=value", label);
      }
      config->server.labels[label.substr(0, equals)] = label.substr(equals + 1);
    }
  }
  return absl::OkStatus();
}

absl::Status LoadFile(bool strict, CommandLine* out) {
  PosixFileSystem files;
  ASSIGN_OR_RETURN(const std::string text, ReadFile(&files, out->config_path));
  ASSIGN_OR_RETURN(out->warnings, config::LoadToml(text, out->config_path, strict, &out->config));
  return absl::OkStatus();
}

CommandLine Ended(CommandLine::Action action, std::string text) {
  CommandLine out;
  out.action = action;
  out.text = std::move(text);
  return out;
}

}  // namespace

std::string_view ReportedVersion() { return "8.5.4"; }

std::string VersionText() {
  return fmt::format(
      "TiKV for Kubernetes\nRelease Version:   0.1.0\nCompatible With:   TiKV {}\nCompiler:        "
      "  "
      "g++ {}\n",
      ReportedVersion(), __VERSION__);
}

CommandLine ParseCommandLine(int argc, char** argv) {
  using Action = CommandLine::Action;
  CLI::App app{"tikv-server: a store of a TiKV cluster", "tikv-server"};
  Flags flags;
  Declare(&app, &flags);
  if (auto end = config::Parse(&app, argc, argv)) {
    return Ended(end->asked ? Action::kPrint : Action::kFail, std::move(end->text));
  }
  if (flags.version) return Ended(Action::kPrint, VersionText());
  if (flags.print_sample_config) return Ended(Action::kPrint, config::ToToml(NodeConfig()));
  if (flags.config_info.has_value()) return Ended(Action::kPrint, config::ToJson(NodeConfig()));

  CommandLine out;
  out.config_path = flags.config.value_or("");
  absl::Status status = absl::OkStatus();
  if (!out.config_path.empty()) status = LoadFile(flags.config_check, &out);
  if (status.ok()) status = ApplyFlags(flags, &out.config);
  if (status.ok()) status = out.config.Validate();
  if (!status.ok()) return Ended(Action::kFail, std::string(Message(status)) + "\n");
  if (flags.config_check) return Ended(Action::kPrint, "the configuration is valid\n");
  out.config.Complete();
  return out;
}

}  // namespace tikv::server
