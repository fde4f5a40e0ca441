// The command line of pd-server: PD's own flags.
#pragma once

#include <string>
#include <vector>

#include "pd/node/config.h"

namespace tikv::pd {

// What the command line asks for.
struct CommandLine {
  enum class Action { kRun, kPrint, kFail };
  Action action = Action::kRun;
  std::string text;  // What kPrint and kFail print before the program ends.

  NodeConfig config;
  std::string config_text;            // The file named by --config.
  std::vector<std::string> warnings;  // About it.
};

// Defaults, then the file, then the flags.
CommandLine ParseCommandLine(int argc, char** argv);

// "v8.5.4": what clients gate features on, and our own version.
std::string ReportedVersion();
std::string OwnVersion();

}  // namespace tikv::pd
