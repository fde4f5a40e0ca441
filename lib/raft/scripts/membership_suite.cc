// Commands "simple", "enter-joint" and "leave-joint": the rules of membership changes.
#include <algorithm>

#include "lib/base/status.h"
#include "lib/raft/progress.h"
#include "lib/raft/scripts/describe.h"
#include "lib/raft/scripts/script.h"
#include "lib/raft/scripts/suites.h"

namespace tikv::raft::scripts {
namespace {

class Suite {
 public:
  std::string Handle(const Step& step) {
    const uint64_t last_index = steps_++;  // the scripts' log grows by one with every command
    absl::StatusOr<Membership> next = Change(step);
    if (!next.ok()) return std::string(Message(next.status())) + "\n";
    members_ = *std::move(next);
    peers_.Reconcile(members_, std::max<uint64_t>(last_index, 1));
    std::string text = members_.Text() + "\n";
    for (const Progress& peer : peers_.all()) {
      text += std::to_string(peer.id) + ": " + peer.Text() + "\n";
    }
    return text;
  }

 private:
  absl::StatusOr<Membership> Change(const Step& step) {
    ASSIGN_OR_RETURN(const Changes changes, ParseChanges(step.input));
    if (step.command == "simple") return SimpleChange(members_, changes);
    if (step.command == "leave-joint") return LeaveJoint(members_);
    if (step.command != "enter-joint") return InvalidArgument("unknown command");
    const Arg* autoleave = step.Find("autoleave");
    return EnterJoint(members_, autoleave != nullptr && autoleave->values.front() == "true",
                      changes);
  }

  uint64_t steps_ = 0;
  Membership members_;
  ProgressTable peers_{10, 0};
};

}  // namespace

absl::Status RunMembershipScript(const std::string& path) {
  Suite suite;
  return RunScript(path, [&suite](const Step& step) { return suite.Handle(step); });
}

}  // namespace tikv::raft::scripts
