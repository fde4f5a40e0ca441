#include "server/raftstore/apply/applier.h"

#include <gtest/gtest.h>

#include "lib/engine/write_batch.h"
#include "server/port/write_command.h"
#include "server/raftstore/apply/entry_data.h"

namespace tikv::server {
namespace {

metapb::Region Region() {
  metapb::Region region;
  region.set_id(1);
  region.mutable_region_epoch()->set_conf_ver(2);
  region.mutable_region_epoch()->set_version(3);
  auto* peer = region.add_peers();
  peer->set_id(101);
  peer->set_store_id(1);
  return region;
}

eraftpb::Entry Entry(uint64_t index, std::string data) {
  eraftpb::Entry entry;
  entry.set_index(index);
  entry.set_term(6);
  entry.set_data(std::move(data));
  return entry;
}

std::string WriteData(uint64_t version) {
  WriteCommand command;
  command.Put(engine::Cf::kDefault, "k", "v");
  return WriteEntryHead(version) + command.encoded();
}

class ApplierTest : public testing::Test {
 protected:
  Applier applier_{Region(), {.applied = 5}};
  engine::WriteBatch batch_;
};

TEST_F(ApplierTest, WritesOfThisVersion) {
  const auto outcome = applier_.Apply(Entry(6, WriteData(3)), &batch_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->verdict, ApplyVerdict::kDone);
  EXPECT_EQ(batch_.count(), 1u);
  EXPECT_EQ(applier_.state().applied, 6u);
  EXPECT_EQ(applier_.applied_term(), 6u);
}

TEST_F(ApplierTest, WritesOfAnotherVersionAreVoid) {
  const auto outcome = applier_.Apply(Entry(6, WriteData(2)), &batch_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->verdict, ApplyVerdict::kEpochNotMatch);
  EXPECT_TRUE(batch_.empty());
  EXPECT_EQ(applier_.state().applied, 6u);
}

TEST_F(ApplierTest, ASplitChangesTheVersionForWhatFollows) {
  raft_cmdpb::AdminRequest request;
  request.set_cmd_type(raft_cmdpb::AdminCmdType::BatchSplit);
  auto* part = request.mutable_splits()->add_requests();
  part->set_split_key("m");
  part->set_new_region_id(9);
  part->add_new_peer_ids(10);
  auto outcome = applier_.Apply(Entry(6, EncodeAdminEntry(3, 2, request)), &batch_);
  ASSERT_TRUE(outcome.ok());
  const auto* split = std::get_if<RegionSplit>(&outcome->effect);
  ASSERT_NE(split, nullptr);
  EXPECT_EQ(split->regions.front().id(), 9u);
  EXPECT_EQ(applier_.region().start_key(), "m");
  outcome = applier_.Apply(Entry(7, WriteData(3)), &batch_);
  ASSERT_TRUE(outcome.ok());
  EXPECT_EQ(outcome->verdict, ApplyVerdict::kEpochNotMatch);
}

TEST_F(ApplierTest, CompactLogNeverGoesBackOrAhead) {
  raft_cmdpb::AdminRequest request;
  request.set_cmd_type(raft_cmdpb::AdminCmdType::CompactLog);
  request.mutable_compact_log()->set_compact_index(5);
  request.mutable_compact_log()->set_compact_term(5);
  ASSERT_TRUE(applier_.Apply(Entry(6, EncodeAdminEntry(0, 0, request)), &batch_).ok());
  EXPECT_EQ(applier_.state().truncated_index, 5u);
  request.mutable_compact_log()->set_compact_index(100);
  ASSERT_TRUE(applier_.Apply(Entry(7, EncodeAdminEntry(0, 0, request)), &batch_).ok());
  EXPECT_EQ(applier_.state().truncated_index, 5u);
}

TEST_F(ApplierTest, GarbageStopsTheReplica) {
  EXPECT_FALSE(applier_.Apply(Entry(6, "?"), &batch_).ok());
  EXPECT_FALSE(applier_.Apply(Entry(6, WriteEntryHead(3) + "\x7F"), &batch_).ok());
  EXPECT_FALSE(applier_.Apply(Entry(6, "a"), &batch_).ok());
  EXPECT_EQ(applier_.state().applied, 5u);
}

}  // namespace
}  // namespace tikv::server
