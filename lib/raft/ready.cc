// What a replica wants done, and the acknowledgements of it.
#include <algorithm>

#include "lib/base/check.h"
#include "lib/raft/raft.h"
#include "lib/raft/text.h"

namespace tikv::raft {

bool Raft::HasReady() const {
  return !messages_.empty() || !after_persist_.empty() || !read_states_.empty() ||
         told_commit_ != log_.committed() || told_term_ != term_ || told_vote_ != vote_ ||
         log_.unstable().HasNewEntries() || log_.unstable().HasNewSnapshot() ||
         told_soft_ != SoftState{leader_, role()} || log_.HasCommittedToApply() ||
         ReadsWaitForRound();
}

Ready Raft::TakeReady() {
  MaybeStartReadRound();
  Ready ready;
  const SoftState soft{leader_, role()};
  if (soft != told_soft_) ready.soft_state = soft;
  const bool promised = term_ != told_term_ || vote_ != told_vote_;
  if (promised || log_.committed() != told_commit_) {
    eraftpb::HardState& hard = ready.hard_state.emplace();
    hard.set_term(term_);
    hard.set_vote(vote_);
    hard.set_commit(log_.committed());
  }
  Unstable& unstable = log_.unstable();
  unstable.NewEntries(&ready.entries);
  if (unstable.HasNewSnapshot()) ready.snapshot = *unstable.snapshot();
  ready.must_sync = promised || !ready.entries.empty();
  ready.read_states.swap(read_states_);
  ready.messages.swap(messages_);
  ready.after_persist.messages.swap(after_persist_);
  if (!ready.NothingToWrite() || !ready.after_persist.messages.empty()) {
    AppendAck ack{term_, 0, 0, 0};
    // Entries of earlier Readies that are still being written are acknowledged with these.
    if (!unstable.entries().empty()) {
      ack.index = log_.last().index;
      ack.log_term = log_.last().term;
    }
    if (ready.snapshot) ack.snapshot_index = ready.snapshot->metadata().index();
    if (ack.index != 0 || ack.snapshot_index != 0) ready.after_persist.ack = ack;
  }
  unstable.Accept();
  ready.committed_entries = log_.CommittedToApply();
  log_.AcceptApplying(ready.committed_entries);
  told_soft_ = soft;
  told_term_ = term_;
  told_vote_ = vote_;
  told_commit_ = log_.committed();
  return ready;
}

void Raft::Acknowledge(const AppendAck& ack) {
  CHECK_LE(ack.term, term_) << "acknowledged in a term that never was";
  if (ack.index != 0) {
    if (ack.term == term_) {
      log_.unstable().StableTo(ack.index, ack.log_term);
    } else {
      // Since then a leader may have replaced these entries, even by some of the same index and
      // term again, whose write is still under way; a later acknowledgement covers them.
      RAFT_TELL(config_.log, kInfo,
                "{:x} [term: {}] ignored entry appends from a MsgStorageAppendResp message with "
                "lower term [term: {}]",
                id(), term_, ack.term);
    }
  }
  if (ack.snapshot_index != 0) {  // holds in every term: what it carries is committed
    log_.unstable().SnapshotStable(ack.snapshot_index);
    AppliedTo(ack.snapshot_index);
  }
}

}  // namespace tikv::raft
