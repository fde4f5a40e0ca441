// The three suites of scripts, each as a handler of one file's steps.
#pragma once

#include <absl/status/status.h>

#include <string>

namespace tikv::raft::scripts {

absl::Status RunQuorumScript(const std::string& path);
absl::Status RunMembershipScript(const std::string& path);
absl::Status RunInteractionScript(const std::string& path);

}  // namespace tikv::raft::scripts
