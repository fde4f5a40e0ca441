#include "server/raftstore/peer/read_queue.h"

#include <gtest/gtest.h>

namespace tikv::server {
namespace {

PendingRead Read(std::string* log, std::string name, bool replica = false) {
  PendingRead read;
  read.header.replica_read = replica;
  read.done = [log, name](ReadResult result) { *log += name + (result.error ? "! " : " "); };
  return read;
}

TEST(ReadQueue, ReadsOfOneRoundShareAnIndex) {
  std::string log;
  ReadQueue queue(1, 100);
  queue.Add(Read(&log, "a"));
  queue.Add(Read(&log, "b"));
  const auto first = queue.StartBatch({1});
  queue.Add(Read(&log, "c"));
  const auto second = queue.StartBatch({2});
  ASSERT_TRUE(first && second);
  EXPECT_NE(*first, *second);
  EXPECT_FALSE(queue.StartBatch({3}).has_value());

  queue.OnIndex(*first, 10);
  EXPECT_TRUE(queue.TakeReady(9).empty());
  EXPECT_EQ(queue.TakeReady(10).size(), 2u);
  EXPECT_EQ(queue.size(), 1u);
  queue.OnIndex("garbage", 1);
  EXPECT_TRUE(queue.TakeReady(10).empty());
}

TEST(ReadQueue, LostRequestsAreAskedAgain) {
  std::string log;
  ReadQueue queue(1, 100);
  queue.Add(Read(&log, "a"));
  const auto context = queue.StartBatch({10});
  EXPECT_TRUE(queue.Overdue({9}, {20}).empty());
  EXPECT_EQ(queue.Overdue({10}, {20}), std::vector<std::string>{*context});
  EXPECT_TRUE(queue.Overdue({19}, {30}).empty());
}

TEST(ReadQueue, FailsSome) {
  std::string log;
  ReadQueue queue(1, 100);
  queue.Add(Read(&log, "leader"));
  queue.Add(Read(&log, "replica", true));
  queue.StartBatch({1});
  queue.FailIf([](const RequestHeader& header) {
    return header.replica_read ? RegionError() : RegionError::NotLeader(RegionId(1), nullptr);
  });
  EXPECT_EQ(log, "leader! ");
  EXPECT_EQ(queue.size(), 1u);
}

}  // namespace
}  // namespace tikv::server
