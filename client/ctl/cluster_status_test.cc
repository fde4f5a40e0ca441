#include "client/ctl/cluster_status.h"

#include <gtest/gtest.h>

namespace tikv::client {
namespace {

TEST(ClusterStatus, TableAlignsColumns) {
  EXPECT_EQ(Align({{"A", "B"}, {"long", "x"}}), "A     B\nlong  x\n");
}

TEST(ClusterStatus, TableShowsStoresAndMembers) {
  ClusterStatus status;
  status.stores.push_back({.id = 4,
                           .address = "127.0.0.1:20160",
                           .state = "Up",
                           .leaders = 2,
                           .regions = 3,
                           .used = "1.5GiB",
                           .capacity = "9GiB"});
  status.members.push_back(
      {.name = "pd-1", .url = "http://127.0.0.1:2379", .leader = true, .healthy = true});
  status.members.push_back({});
  const std::string table = FormatTable(status);
  EXPECT_NE(table.find("4      Up     127.0.0.1:20160  2        3        1.5GiB  9GiB"),
            std::string::npos)
      << table;
  EXPECT_NE(table.find("pd-1           leader    healthy"), std::string::npos) << table;
  EXPECT_NE(table.find("(not started)"), std::string::npos) << table;
}

TEST(ClusterStatus, NobodyAnswers) {
  http::Client client;
  const auto status = FetchClusterStatus(&client, {"127.0.0.1:1"});
  EXPECT_EQ(status.status().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace tikv::client
