// Whole groups: elections, replication, membership, reads, transfers, snapshots, limits.
#include "lib/raft/raw_node.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include "lib/raft/testing/cluster.h"

namespace tikv::raft {
namespace {

using ::testing::ElementsAre;

eraftpb::ConfChangeV2 Change(std::vector<std::pair<eraftpb::ConfChangeType, uint64_t>> changes,
                             eraftpb::ConfChangeTransition transition = eraftpb::Auto) {
  eraftpb::ConfChangeV2 v2;
  v2.set_transition(transition);
  for (auto [type, id] : changes) {
    eraftpb::ConfChangeSingle* single = v2.add_changes();
    single->set_change_type(type);
    single->set_node_id(id);
  }
  return v2;
}

eraftpb::Message From(uint64_t from, uint64_t to, eraftpb::MessageType type, uint64_t term) {
  eraftpb::Message m;
  m.set_msg_type(type);
  m.set_from(from);
  m.set_to(to);
  m.set_term(term);
  return m;
}

TEST(RawNode, ElectsAndReplicates) {
  Cluster c(3, 1);
  c.Elect(2);
  ASSERT_EQ(c.leader(), 2u);
  auto at = c.node(2).Propose("x");
  ASSERT_TRUE(at.ok());
  EXPECT_EQ(at->index, 3u);
  EXPECT_EQ(at->term, c.node(2).term());
  c.Settle();
  for (uint64_t id : {1, 2, 3}) {
    EXPECT_EQ(c.at(id).state, "x");
    EXPECT_EQ(c.node(id).leader(), 2u);
    EXPECT_EQ(c.node(id).commit(), 3u);
    EXPECT_FALSE(c.node(id).HasReady());
  }
}

TEST(RawNode, ElectsByItselfAfterTimeout) {
  Cluster c(3, 7);
  c.TickAll(9);
  EXPECT_EQ(c.leader(), 0u) << "not before election_tick";
  c.TickAll(51);
  EXPECT_NE(c.leader(), 0u);
}

TEST(RawNode, SingleVoterCommitsAlone) {
  Cluster c(1, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).Propose("a").ok());
  c.Settle();
  EXPECT_EQ(c.at(1).state, "a");
}

TEST(RawNode, FollowerRefusesProposals) {
  Cluster c(3, 1);
  c.Elect(1);
  EXPECT_TRUE(absl::IsUnavailable(c.node(2).Propose("x").status()));
}

TEST(RawNode, ALeaderSendsBeforeItsOwnWriteButCountsItAfter) {
  Cluster c(3, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).Propose("x").ok());
  ASSERT_TRUE(c.TakeReady(1));
  EXPECT_EQ(c.network().size(), 2u) << "appends travel while it writes";
  c.isolated() = {3};
  while (!c.network().empty()) c.Deliver(0);
  while (c.TakeReady(2) || c.Persist(2)) {
  }
  while (!c.network().empty()) c.Deliver(0);
  EXPECT_EQ(c.node(1).commit(), 2u) << "one durable copy of three";
  ASSERT_TRUE(c.Persist(1));
  EXPECT_EQ(c.node(1).commit(), 3u);
}

TEST(RawNode, AFollowerCommitsOnlyWhatAMessageVouchesFor) {
  Cluster c(3, 1);
  Replica& r = c.at(3);
  eraftpb::Message append = From(1, 3, eraftpb::MsgAppend, 2);
  append.set_index(1);
  append.set_log_term(1);
  for (uint64_t i : {2, 3}) {
    eraftpb::Entry* entry = append.add_entries();
    entry->set_index(i);
    entry->set_term(2);
  }
  ASSERT_TRUE(r.node->Step(append).ok());
  // Another leader, whose message does not speak of what follows entry 1.
  eraftpb::Message empty = From(2, 3, eraftpb::MsgAppend, 3);
  empty.set_index(1);
  empty.set_log_term(1);
  empty.set_commit(3);
  ASSERT_TRUE(r.node->Step(empty).ok());
  EXPECT_EQ(r.node->commit(), 1u);
}

TEST(RawNode, ACandidateOfLowerPriorityIsRefused) {
  Cluster c(3, 1, [](Config* config) { config->priority = config->id == 3 ? -1 : 0; });
  c.Elect(3);
  EXPECT_EQ(c.leader(), 0u);
  c.Elect(1);
  EXPECT_EQ(c.leader(), 1u);
}

TEST(RawNode, AnIsolatedReplicaDoesNotDisturbTheTerm) {
  Cluster c(3, 1);
  c.Elect(1);
  const uint64_t term = c.node(1).term();
  c.isolated() = {3};
  c.TickAll(100);
  c.isolated().clear();
  c.TickAll(30);
  EXPECT_EQ(c.leader(), 1u);
  EXPECT_EQ(c.node(3).term(), term);
}

TEST(RawNode, ALeaderWithoutQuorumStepsDown) {
  Cluster c(3, 1);
  c.Elect(1);
  c.isolated() = {1};
  c.TickAll(20);
  EXPECT_FALSE(c.node(1).IsLeader());
}

TEST(RawNode, ReadsNeedAQuorumAfterTheQuestion) {
  Cluster c(3, 1, [](Config* config) { config->check_quorum = config->pre_vote = false; });
  c.Elect(1);
  c.node(1).ReadIndex("a");
  c.node(1).ReadIndex("b");
  ASSERT_TRUE(c.node(1).HasReady());
  ASSERT_TRUE(c.TakeReady(1));
  EXPECT_EQ(c.network().size(), 2u) << "both share one round";
  c.Settle();
  ASSERT_EQ(c.at(1).reads.size(), 2u);
  EXPECT_EQ(c.at(1).reads[0].index, 2u);
  c.at(1).reads.clear();
  c.isolated() = {1};
  c.node(1).ReadIndex("c");
  c.Elect(2);
  ASSERT_TRUE(c.node(2).Propose("x").ok());
  c.Settle();
  EXPECT_TRUE(c.at(1).reads.empty()) << "a deposed leader must not answer";
}

TEST(RawNode, AnOldRoundConfirmsNoNewRead) {
  Cluster c(3, 1);
  c.Elect(1);
  c.node(1).Ping();
  c.TakeReady(1);  // heartbeats are on their way
  c.filter = [](const eraftpb::Message& m) { return m.msg_type() == eraftpb::MsgHeartbeat; };
  c.node(1).ReadIndex("late");
  c.Settle();
  EXPECT_TRUE(c.at(1).reads.empty());
  c.filter = {};
  c.node(1).Ping();
  c.Settle();
  EXPECT_EQ(c.at(1).reads.size(), 1u) << "any later round does";
}

TEST(RawNode, FollowersAskTheirLeader) {
  Cluster c(3, 1);
  c.Elect(1);
  c.node(3).ReadIndex("f");
  c.Settle();
  ASSERT_EQ(c.at(3).reads.size(), 1u);
  EXPECT_EQ(c.at(3).reads[0].context, "f");
  EXPECT_EQ(c.at(3).reads[0].index, 2u);
}

TEST(RawNode, AReadBeforeTheFirstCommitWaits) {
  Cluster c(3, 1);
  c.filter = [](const eraftpb::Message& m) { return m.msg_type() == eraftpb::MsgAppend; };
  c.Elect(1);
  ASSERT_TRUE(c.node(1).IsLeader());
  c.node(1).ReadIndex("r");
  EXPECT_FALSE(c.node(1).HasReady());
  c.filter = {};
  c.TickAll(3);
  ASSERT_EQ(c.at(1).reads.size(), 1u);
  EXPECT_EQ(c.at(1).reads[0].index, 2u);
}

TEST(RawNode, LeaseBasedReadsAnswerAtOnce) {
  Cluster c(3, 1, [](Config* config) { config->read_only = ReadOnlyOption::kLeaseBased; });
  c.Elect(1);
  c.isolated() = {2, 3};
  c.node(1).ReadIndex("r");
  c.Settle();
  EXPECT_EQ(c.at(1).reads.size(), 1u);
}

TEST(RawNode, LearnersFollowAndDoNotCount) {
  Cluster c(3, 1);
  c.Elect(1);
  c.Add(4);
  ASSERT_TRUE(c.node(1).ProposeConfChange(Change({{eraftpb::AddLearnerNode, 4}})).ok());
  c.TickAll(5);
  EXPECT_EQ(c.at(4).applied_index, c.at(1).applied_index);
  c.isolated() = {2, 3};
  ASSERT_TRUE(c.node(1).Propose("x").ok());
  c.Settle();
  EXPECT_LT(c.node(1).commit(), c.node(1).last_index());
  c.node(4).Campaign();
  EXPECT_EQ(c.node(4).role(), Role::kFollower);
}

TEST(RawNode, JointStatesNeedBothMajorities) {
  Cluster c(3, 1);
  c.Elect(1);
  for (uint64_t id : {4, 5}) c.Add(id);
  ASSERT_TRUE(c.node(1)
                  .ProposeConfChange(Change({{eraftpb::AddNode, 4},
                                             {eraftpb::AddNode, 5},
                                             {eraftpb::RemoveNode, 2},
                                             {eraftpb::RemoveNode, 3}},
                                            eraftpb::Explicit))
                  .ok());
  c.TickAll(5);
  EXPECT_EQ(c.node(1).conf_state().voters_outgoing_size(), 3);
  for (std::set<uint64_t> missing : {std::set<uint64_t>{2, 3}, std::set<uint64_t>{4, 5}}) {
    const uint64_t commit = c.node(1).commit();
    c.isolated() = missing;
    ASSERT_TRUE(c.node(1).Propose("x").ok());
    c.Settle();
    EXPECT_EQ(c.node(1).commit(), commit) << "half of the joint configuration is not enough";
    c.isolated().clear();
    c.TickAll(5);
    EXPECT_EQ(c.node(1).commit(), commit + 1);
  }
  ASSERT_TRUE(c.node(1).ProposeConfChange(eraftpb::ConfChangeV2()).ok());
  c.TickAll(5);
  EXPECT_THAT(c.node(1).conf_state().voters(), ElementsAre(1, 4, 5));
  EXPECT_EQ(c.node(1).conf_state().voters_outgoing_size(), 0);
  EXPECT_EQ(c.at(5).state, "xx");
}

TEST(RawNode, JointStatesAreLeftByThemselves) {
  Cluster c(3, 1);
  c.Elect(1);
  c.Add(4);
  ASSERT_TRUE(
      c.node(1).ProposeConfChange(Change({{eraftpb::AddNode, 4}, {eraftpb::RemoveNode, 3}})).ok());
  c.TickAll(5);
  EXPECT_THAT(c.node(1).conf_state().voters(), ElementsAre(1, 2, 4));
  EXPECT_FALSE(c.node(1).HasPendingConfChange());
}

TEST(RawNode, OneChangeAtATime) {
  Cluster c(3, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).ProposeConfChange(Change({{eraftpb::AddLearnerNode, 4}})).ok());
  EXPECT_TRUE(c.node(1).HasPendingConfChange());
  const uint64_t last = c.node(1).last_index();
  EXPECT_TRUE(absl::IsFailedPrecondition(
      c.node(1).ProposeConfChange(Change({{eraftpb::AddLearnerNode, 5}})).status()));
  EXPECT_TRUE(
      absl::IsFailedPrecondition(c.node(1).ProposeConfChange(eraftpb::ConfChangeV2()).status()));
  EXPECT_EQ(c.node(1).last_index(), last) << "nothing was proposed";
}

TEST(RawNode, ARemovedLeaderStepsDown) {
  Cluster c(3, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).ProposeConfChange(Change({{eraftpb::RemoveNode, 1}})).ok());
  c.Settle();
  EXPECT_FALSE(c.node(1).IsLeader());
  c.TickAll(60);
  EXPECT_NE(c.leader(), 0u);
  EXPECT_NE(c.leader(), 1u);
}

TEST(RawNode, HandsLeadershipOver) {
  Cluster c(3, 1);
  c.Elect(1);
  c.isolated() = {3};
  ASSERT_TRUE(c.node(1).Propose("x").ok());
  c.Settle();
  c.isolated().clear();
  c.node(1).TransferLeader(3);  // lags: it is brought up to date first
  EXPECT_TRUE(absl::IsUnavailable(c.node(1).Propose("y").status()));
  c.TickAll(3);
  EXPECT_EQ(c.leader(), 3u);
  c.node(1).TransferLeader(2);  // asked of a follower
  c.Settle();
  EXPECT_EQ(c.leader(), 2u);
}

TEST(RawNode, ATransferToTheDeadIsGivenUp) {
  Cluster c(3, 1);
  c.Elect(1);
  c.isolated() = {3};
  c.node(1).TransferLeader(3);
  c.TickAll(11);
  EXPECT_EQ(c.node(1).transferee(), 0u);
  EXPECT_TRUE(c.node(1).Propose("y").ok());
}

TEST(RawNode, AnOvertakenOrderToCampaignIsVoid) {
  Cluster c(3, 1);
  c.Elect(1);
  c.node(1).TransferLeader(2);
  c.TakeReady(1);
  ASSERT_EQ(c.network().size(), 1u);
  const eraftpb::Message order = c.network()[0];
  c.network().clear();
  c.node(1).Ping();
  c.Settle();
  ASSERT_TRUE(c.node(2).Step(order).ok());
  EXPECT_EQ(c.node(2).role(), Role::kFollower);
  EXPECT_EQ(c.node(2).term(), c.node(1).term());
}

TEST(RawNode, SnapshotsBringWhatTheLogHasForgotten) {
  Cluster c(3, 1);
  c.Elect(1);
  c.isolated() = {3};
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(c.node(1).Propose("x").ok());
  c.Settle();
  c.Compact(1, c.at(1).applied_index);
  c.isolated().clear();
  c.TickAll(5);
  EXPECT_EQ(c.at(3).state, "xxxxxxxxxx");
  EXPECT_EQ(c.at(3).storage->FirstIndex(), c.at(1).storage->FirstIndex());
  ASSERT_TRUE(c.node(1).Propose("y").ok());
  c.Settle();
  EXPECT_EQ(c.at(3).state, "xxxxxxxxxxy");
}

TEST(RawNode, RefusesASnapshotOfOthers) {
  Cluster c(3, 1);
  eraftpb::Message m = From(1, 3, eraftpb::MsgSnapshot, 5);
  m.mutable_snapshot()->mutable_metadata()->set_index(50);
  m.mutable_snapshot()->mutable_metadata()->set_term(5);
  m.mutable_snapshot()->mutable_metadata()->mutable_conf_state()->add_voters(1);
  ASSERT_TRUE(c.node(3).Step(m).ok());
  EXPECT_EQ(c.node(3).commit(), 1u);
}

TEST(RawNode, LimitsUncommittedProposals) {
  Cluster c(3, 1, [](Config* config) { config->max_uncommitted_size = 10; });
  c.Elect(1);
  ASSERT_TRUE(c.node(1).Propose(std::string(50, 'x')).ok()) << "one of any size";
  EXPECT_TRUE(absl::IsResourceExhausted(c.node(1).Propose("y").status()));
  EXPECT_TRUE(c.node(1).Propose("").ok()) << "nothing weighs nothing";
  c.Settle();
  EXPECT_TRUE(c.node(1).Propose("y").ok());
}

TEST(RawNode, RefusesWhatNoPeerSends) {
  Cluster c(3, 1, [](Config* config) { config->check_quorum = false; });
  for (uint64_t id : {1, 3, 1}) c.Elect(id);
  RawNode& node = c.node(2);
  ASSERT_EQ(node.commit(), 4u);
  const uint64_t term = node.term();
  const auto refused = [&](eraftpb::Message m) {
    EXPECT_FALSE(node.Step(m).ok()) << m.ShortDebugString();
    node.CheckInvariants();
    EXPECT_EQ(node.term(), term);
  };
  refused(From(1, 2, eraftpb::MsgHup, term + 1));
  refused(From(1, 2, static_cast<eraftpb::MessageType>(77), term + 1));
  refused(From(1, 3, eraftpb::MsgHeartbeat, term));
  refused(From(2, 2, eraftpb::MsgHeartbeat, term));
  refused(From(0, 2, eraftpb::MsgHeartbeat, term));
  refused(From(1, 2, eraftpb::MsgAppend, 0));
  refused(From(9, 2, eraftpb::MsgAppendResponse, term));
  refused(From(1, 2, eraftpb::MsgPropose, 0));
  refused(From(1, 2, eraftpb::MsgReadIndex, 0));
  eraftpb::Message gap = From(1, 2, eraftpb::MsgAppend, term);
  gap.set_index(4);
  gap.set_log_term(term);
  gap.add_entries()->set_index(9);
  refused(gap);
  eraftpb::Message replaced = From(1, 2, eraftpb::MsgAppend, term);
  replaced.set_index(4);
  replaced.set_log_term(term);
  refused([&] {  // below the commit index it is old news, at its edge a contradiction
    eraftpb::Message m = replaced;
    m.set_term(term);
    m.add_entries()->set_index(4);
    return m;
  }());
  refused([&] {
    eraftpb::Message m = replaced;
    m.add_entries()->set_index(5);
    m.mutable_entries(0)->set_term(term + 5);
    return m;
  }());
  eraftpb::Message forwarded = From(3, 1, eraftpb::MsgPropose, 0);
  forwarded.add_entries()->set_data("unchecked");
  EXPECT_FALSE(c.node(1).Step(forwarded).ok()) << "no replica here forwards";
  refused(From(1, 2, eraftpb::MsgHeartbeat, UINT64_MAX));
  refused([&] {
    eraftpb::Message m = From(1, 2, eraftpb::MsgSnapshot, term);
    eraftpb::SnapshotMetadata* meta = m.mutable_snapshot()->mutable_metadata();
    meta->set_index(UINT64_MAX);
    meta->set_term(term);
    for (uint64_t id : {1, 2, 3}) meta->mutable_conf_state()->add_voters(id);
    return m;
  }());
  eraftpb::Message ahead = From(3, 1, eraftpb::MsgAppendResponse, term);
  ahead.set_index(1000);
  EXPECT_FALSE(c.node(1).Step(ahead).ok());
  EXPECT_FALSE(c.node(1).Step(From(3, 1, eraftpb::MsgHeartbeat, term)).ok()) << "two leaders";
  eraftpb::Message lost = From(1, 2, eraftpb::MsgHeartbeat, term);
  lost.set_commit(1000);
  EXPECT_TRUE(node.Step(lost).ok());
  EXPECT_EQ(node.commit(), 4u);
}

TEST(RawNode, StartsAgainWhereItWas) {
  Cluster c(3, 1);
  c.Elect(1);
  ASSERT_TRUE(c.node(1).Propose("x").ok());
  c.Settle();
  const uint64_t term = c.node(1).term();
  for (uint64_t id : {1, 2, 3}) c.Crash(id);
  for (uint64_t id : {1, 2, 3}) c.Restart(id);
  EXPECT_EQ(c.node(1).term(), term);
  EXPECT_EQ(c.node(1).role(), Role::kFollower);
  EXPECT_EQ(c.node(1).applied(), 3u);
  c.Elect(2);
  EXPECT_EQ(c.leader(), 2u);
  EXPECT_EQ(c.at(1).state, "x") << "nothing is applied twice";
}

TEST(RawNode, RefusesAConfigurationThatCannotWork) {
  MemoryStorage storage;
  Random random(1);
  Config config;
  EXPECT_FALSE(RawNode::Create(config, &storage, &random).ok()) << "no id";
  config.id = 1;
  config.heartbeat_tick = config.election_tick;
  EXPECT_FALSE(RawNode::Create(config, &storage, &random).ok());
  config = Config();
  config.id = 1;
  config.applied = 7;
  EXPECT_TRUE(absl::IsDataLoss(RawNode::Create(config, &storage, &random).status()))
      << "applied what the log does not hold";
}

// A store holds tens of thousands of them, nearly all idle.
TEST(RawNode, AnIdleReplicaIsSmall) {
  constexpr size_t kNodes = 1000;
  eraftpb::Snapshot start;
  start.mutable_metadata()->set_index(5);
  start.mutable_metadata()->set_term(5);
  for (uint64_t id : {1, 2, 3}) start.mutable_metadata()->mutable_conf_state()->add_voters(id);
  MemoryStorage storage(start);
  Random random(1);
  Config config;
  config.id = 1;
  std::vector<std::unique_ptr<RawNode>> nodes(kNodes);
  const size_t before = mallinfo2().uordblks;
  for (auto& node : nodes) node = RawNode::Create(config, &storage, &random).value();
  const size_t each = (mallinfo2().uordblks - before) / kNodes;
  RecordProperty("bytes", static_cast<int>(each));
  EXPECT_LT(each, 1024u);
}

}  // namespace
}  // namespace tikv::raft
