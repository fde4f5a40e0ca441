// The command line of tikv-server: TiKV's own flags.
#pragma once

#include <absl/status/statusor.h>

#include <optional>
#include <string>
#include <vector>

#include "server/node/config.h"

namespace tikv::server {

// What the command line asks for.
struct CommandLine {
  enum class Action { kRun, kPrint, kFail };
  Action action = Action::kRun;
  std::string text;  // What kPrint and kFail print before the program ends.

  NodeConfig config;
  std::string config_path;
  std::vector<std::string> warnings;  // About the configuration file.
};

// Defaults, then the file, then the flags.  Reads the file named by --config.
CommandLine ParseCommandLine(int argc, char** argv);

// "8.5.4": what clients and PD gate features on.
std::string_view ReportedVersion();
// Of this program.
std::string VersionText();

}  // namespace tikv::server
