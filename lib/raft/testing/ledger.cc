#include "lib/raft/testing/ledger.h"

#include <algorithm>

#include "lib/base/check.h"
#include "lib/raft/quorum.h"

namespace tikv::raft {

void Ledger::Watch() {
  auto filter = c_->filter;
  c_->filter = [this, filter](const eraftpb::Message& m) {
    OnSend(m);
    return filter && filter(m);
  };
  c_->on_apply = [this](uint64_t, const eraftpb::Entry& entry) { OnApply(entry); };
}

void Ledger::OnSend(const eraftpb::Message& m) {
  MemoryStorage& disk = *c_->at(m.from()).storage;
  if (m.msg_type() == eraftpb::MsgAppendResponse && !m.reject() && m.index() > 0) {
    CHECK_GE(disk.LastIndex(), m.index()) << "I8: acknowledged an entry that is not durable";
    CHECK_GE(disk.hard_state().term(), m.term()) << "I8: a term that is not durable";
  }
  if (m.msg_type() == eraftpb::MsgRequestVoteResponse && !m.reject()) {
    // A later term on disk forbids a second vote in this one as well.
    CHECK_GE(disk.hard_state().term(), m.term()) << "I8: a vote that is not durable";
    if (disk.hard_state().term() == m.term()) {
      CHECK_EQ(disk.hard_state().vote(), m.to()) << "I8: a vote that is not durable";
    }
    auto [at, fresh] = votes_.try_emplace({m.from(), m.term()}, m.to());
    CHECK_EQ(at->second, m.to()) << "I7: a second vote in a term";
  }
}

void Ledger::OnApply(const eraftpb::Entry& entry) {
  auto [at, fresh] = committed_.try_emplace(entry.index(), entry.term(), entry.data());
  CHECK_EQ(at->second.first, entry.term()) << "I5: two entries committed at " << entry.index();
  CHECK_EQ(at->second.second, entry.data()) << "I5: two entries committed at " << entry.index();
}

void Ledger::Check() {
  for (auto& [id, replica] : c_->all()) {
    if (replica.down) {
      seen_.erase(id);  // its commit index may go back to what it had stored
      continue;
    }
    Seen& seen = seen_[id];
    const Seen before = seen;
    const RawNode& node = *replica.node;
    CHECK_GE(node.term(), before.term) << "I7";
    CHECK_GE(node.commit(), before.commit) << "I9";
    seen = {node.term(), node.commit(), node.last_index(), node.IsLeader(), node.conf_state()};
    if (node.IsLeader()) CheckLeader(id, before);
  }
  if (++checks_ % 64 == 0) CheckLogsMatch();
}

void Ledger::CheckLeader(uint64_t id, const Seen& before) {
  const Replica& replica = c_->at(id);
  const RawNode& node = *replica.node;
  auto [at, fresh] = leaders_.try_emplace(node.term(), id);
  CHECK_EQ(at->second, id) << "I1: two leaders of term " << node.term();
  if (before.leader && before.term == node.term()) {
    CHECK_GE(node.last_index(), before.last) << "I2: a leader shortened its log";
  } else {
    CHECK_GE(node.last_index(), committed()) << "I4: a leader lacks a committed entry";
  }
  if (node.commit() > before.commit && before.leader) {
    // One event may commit by the old configuration and then apply the new one.
    CHECK(QuorumHolds(before.conf, node.commit()) || QuorumHolds(node.conf_state(), node.commit()))
        << "I6: " << node.commit() << " is committed without a durable quorum";
  }
}

bool Ledger::QuorumHolds(const eraftpb::ConfState& conf, uint64_t index) {
  const IdSet incoming(conf.voters().begin(), conf.voters().end());
  const IdSet outgoing(conf.voters_outgoing().begin(), conf.voters_outgoing().end());
  const auto durable = [&](uint64_t id) -> std::optional<uint64_t> {
    return c_->at(id).storage->LastIndex() >= index ? 1 : 0;
  };
  return JointAcked(incoming, outgoing, durable) == 1;
}

void Ledger::CheckLogsMatch() {
  for (auto a = c_->all().begin(); a != c_->all().end(); ++a) {
    for (auto b = std::next(a); b != c_->all().end(); ++b) {
      MemoryStorage& x = *a->second.storage;
      MemoryStorage& y = *b->second.storage;
      const uint64_t first = std::max(x.FirstIndex(), y.FirstIndex());
      uint64_t last = std::min(x.LastIndex(), y.LastIndex());
      while (last >= first && x.Term(last).value() != y.Term(last).value()) --last;
      for (uint64_t i = first; i <= last; ++i) {
        CHECK_EQ(x.Term(i).value(), y.Term(i).value()) << "I3: logs differ before they agree";
      }
    }
  }
}

}  // namespace tikv::raft
