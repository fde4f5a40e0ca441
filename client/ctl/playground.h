// `tikv-ctl playground`: a whole cluster on this machine.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace tikv::client {

// How many servers, where they listen and where their data goes.
struct PlaygroundOptions {
  int pds = 1;
  int stores = 3;
  std::string data_dir = "data";
  // First ports; further members count up from there.  PD's peer ports follow its client port in
  // steps: client 2379, 2381, ...; peer 2380, 2382, ...
  int pd_port = 2379;
  int store_port = 20160;
  int status_port = 20180;
  // TOML files for every store or member; "" for none.
  std::string store_config, pd_config;
  // Start a server again that ended by itself or was killed.
  bool restart = true;
};

// Starts the servers (their programs lie beside this one), shows a live table on a terminal and
// plain lines elsewhere, and stops all on SIGINT or SIGTERM.  Returns when all have ended; an error
// is one sentence for the person at the terminal.  Blocks SIGINT and SIGTERM in this process.
absl::Status RunPlayground(const PlaygroundOptions& options);

}  // namespace tikv::client
