#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include "proto/kvrpcpb.pb.h"
#include "proto/kvrpcpb_txn.pb.h"
#include "proto/pdpb.pb.h"
#include "proto/tikvpb.pb.h"

// A newer program may send what we do not know yet; passing it on must not lose it.
namespace {

TEST(WireTest, UnknownFieldsSurviveARoundTrip) {
  metapb::Store store;
  store.set_id(7);
  auto* unknown = store.GetReflection()->MutableUnknownFields(&store);
  unknown->AddVarint(1000, 42);
  unknown->AddLengthDelimited(1001, std::string("a\0b", 3));

  metapb::Store parsed;
  ASSERT_TRUE(parsed.ParseFromString(store.SerializeAsString()));
  EXPECT_EQ(parsed.id(), 7u);
  EXPECT_EQ(parsed.SerializeAsString(), store.SerializeAsString());
}

TEST(WireTest, UnknownFieldsSurviveInsideOtherMessages) {
  pdpb::PutStoreRequest request;
  auto* store = request.mutable_store();
  store->GetReflection()->MutableUnknownFields(store)->AddFixed64(999, 1);

  pdpb::PutStoreRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(request.SerializeAsString()));
  const metapb::Store copy = parsed.store();
  EXPECT_EQ(copy.SerializeAsString(), store->SerializeAsString());
}

TEST(WireTest, UnknownEnumValuesSurviveARoundTrip) {
  kvrpcpb::Context context;
  context.set_api_version(static_cast<kvrpcpb::APIVersion>(99));
  kvrpcpb::PrewriteRequest prewrite;
  prewrite.add_pessimistic_actions(static_cast<kvrpcpb::PrewriteRequest::PessimisticAction>(77));

  kvrpcpb::Context parsed;
  ASSERT_TRUE(parsed.ParseFromString(context.SerializeAsString()));
  EXPECT_EQ(static_cast<int>(parsed.api_version()), 99);
  kvrpcpb::PrewriteRequest parsed_prewrite;
  ASSERT_TRUE(parsed_prewrite.ParseFromString(prewrite.SerializeAsString()));
  EXPECT_EQ(static_cast<int>(parsed_prewrite.pessimistic_actions(0)), 77);
}

TEST(WireTest, ACommandUnknownToUsIsNoCommandAndIsKept) {
  tikvpb::BatchCommandsRequest request;
  auto* command = request.add_requests();
  command->GetReflection()->MutableUnknownFields(command)->AddLengthDelimited(200, "");

  tikvpb::BatchCommandsRequest parsed;
  ASSERT_TRUE(parsed.ParseFromString(request.SerializeAsString()));
  ASSERT_EQ(parsed.requests_size(), 1);
  EXPECT_EQ(parsed.requests(0).cmd_case(), tikvpb::BatchCommandsRequest::Request::CMD_NOT_SET);
  EXPECT_EQ(parsed.SerializeAsString(), request.SerializeAsString());
}

}  // namespace
