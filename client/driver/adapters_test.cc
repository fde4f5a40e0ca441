// The driver's gRPC adapters against a server that answers as each test wants.
#include <gtest/gtest.h>

#include "client/driver/batch_stream.h"
#include "client/driver/grpc_pd.h"
#include "client/driver/grpc_stores.h"
#include "lib/base/status.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/rpc/testing.h"

namespace tikv::client {
namespace {

using rpc::Awaited;
using std::chrono::milliseconds;
using Reply = absl::StatusOr<StoreTransport::BatchResponse>;

StoreTransport::BatchRequest Get(const std::string& key) {
  StoreTransport::BatchRequest request;
  request.mutable_rawget()->set_key(key);
  return request;
}

// Answers raw gets with their key; what begins with "hold" stays unanswered until the next message.
class Adapters : public testing::Test {
 protected:
  void SetUp() override {
    server_.RegisterStream(
        "/tikvpb.Tikv/BatchCommands", [this](rpc::ServerStream stream, const rpc::CallContext&) {
          ++streams_;
          auto handler = std::make_unique<rpc::FunctionHandler>();
          handler->on_message = [this, stream](std::string_view m) { OnMessage(stream, m); };
          return handler;
        });
    server_.RegisterUnary("/tikvpb.Tikv/Echo", [](rpc::UnaryCall& call, rpc::RawResponder r) {
      r.Reply(call.TakeRequest());
    });
    const auto port = server_.Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    address_ = fmt::format("127.0.0.1:{}", *port);
    stores_ =
        std::make_unique<GrpcStores>(std::vector<rpc::ChannelPool*>{&pool_}, &timers_, &clock_);
  }

  void OnMessage(const rpc::ServerStream& stream, std::string_view bytes) {
    tikvpb::BatchCommandsRequest request;
    ASSERT_TRUE(request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    largest_ = std::max(largest_.load(), request.requests_size());
    tikvpb::BatchCommandsResponse response;
    for (int i = request.requests_size() - 1; i >= 0; --i) {  // In an order of its own.
      const std::string& key = request.requests(i).rawget().key();
      if (key == "break") return stream.Finish(absl::UnavailableError("going"));
      if (key == "garbage") {
        stream.Send("\xff\xff\xff");
        return;
      }
      if (key.starts_with("hold")) continue;
      response.add_request_ids(request.request_ids(i));
      response.add_responses()->mutable_rawget()->set_value(key);
    }
    response.add_request_ids(1 << 30);  // An answer that nobody waits for.
    response.add_responses()->mutable_empty();
    stream.Send(response.SerializeAsString());
  }

  Reply Call(const std::string& key, milliseconds timeout = milliseconds(20'000)) {
    Awaited<Reply> done;
    stores_->Batched(address_, Get(key), timeout, [&](Reply r) { done.Set(std::move(r)); });
    return done.Get();
  }

  PosixClock clock_;
  rpc::Server server_{rpc::ServerOptions()};
  rpc::ChannelPool pool_;
  ThreadExecutor timers_{{.name = "timers"}, &clock_};
  std::string address_;
  std::unique_ptr<GrpcStores> stores_;
  std::atomic<int> streams_ = 0, largest_ = 0;
};

TEST_F(Adapters, EachCommandGetsItsOwnAnswer) {
  constexpr int kCalls = 3000;
  std::mutex mutex;
  std::map<int, std::string> answers;
  Awaited<bool> all;
  for (int i = 0; i < kCalls; ++i) {
    stores_->Batched(address_, Get(std::to_string(i)), milliseconds(20'000), [&, i](Reply r) {
      bool last = false;
      {
        std::lock_guard lock(mutex);
        answers[i] = r.ok() ? r->rawget().value() : r.status().ToString();
        last = answers.size() == kCalls;
      }
      if (last) all.Set(true);  // Outside: the test may end now, and the mutex with it.
    });
  }
  all.Get();
  for (int i = 0; i < kCalls; ++i) EXPECT_EQ(answers[i], std::to_string(i));
  EXPECT_EQ(streams_, 1);
  EXPECT_GT(largest_, 1) << "commands that wait leave together";
  EXPECT_LE(largest_, 256);
}

TEST_F(Adapters, AnUnansweredCommandEndsAtItsDeadlineAndHoldsNobodyUp) {
  Awaited<Reply> held;
  stores_->Batched(address_, Get("hold"), milliseconds(200),
                   [&](Reply r) { held.Set(std::move(r)); });
  EXPECT_EQ(Call("other")->rawget().value(), "other");
  EXPECT_TRUE(absl::IsDeadlineExceeded(held.Get().status()));
  EXPECT_EQ(streams_, 1);
}

TEST_F(Adapters, ABrokenStreamEndsWhatWaitsAndOpensAgain) {
  for (const char* how : {"break", "garbage"}) {
    Awaited<Reply> held;
    stores_->Batched(address_, Get("hold"), milliseconds(20'000),
                     [&](Reply r) { held.Set(std::move(r)); });
    EXPECT_TRUE(absl::IsUnavailable(Call(how).status())) << how;
    EXPECT_TRUE(absl::IsUnavailable(held.Get().status())) << how;
    EXPECT_EQ(Call("again")->rawget().value(), "again");
  }
  EXPECT_EQ(streams_, 3);
}

TEST_F(Adapters, NobodyListens) {
  Awaited<Reply> done;
  stores_->Batched("127.0.0.1:1", Get("x"), milliseconds(20'000),
                   [&](Reply r) { done.Set(std::move(r)); });
  EXPECT_TRUE(absl::IsUnavailable(done.Get().status()));
  Awaited<absl::StatusOr<std::string>> unary;
  stores_->Unary("127.0.0.1:1", "/tikvpb.Tikv/Echo", "x", milliseconds(20'000),
                 [&](absl::StatusOr<std::string> r) { unary.Set(std::move(r)); });
  EXPECT_TRUE(absl::IsUnavailable(unary.Get().status()));
}

TEST_F(Adapters, UnaryCallsGoTheirOwnWay) {
  Awaited<absl::StatusOr<std::string>> done;
  stores_->Unary(address_, "/tikvpb.Tikv/Echo", "bytes", milliseconds(20'000),
                 [&](absl::StatusOr<std::string> r) { done.Set(std::move(r)); });
  EXPECT_EQ(*done.Get(), "bytes");
  EXPECT_EQ(streams_, 0);
}

TEST_F(Adapters, CloseEndsWhatWaitsAndWhatComesLater) {
  Awaited<Reply> held;
  stores_->Batched(address_, Get("hold"), milliseconds(20'000),
                   [&](Reply r) { held.Set(std::move(r)); });
  stores_->Close();
  EXPECT_TRUE(absl::IsCancelled(held.Get().status()));
  EXPECT_TRUE(absl::IsCancelled(Call("later").status()));
  stores_->Close();
}

// A PD with two regions, ["", "m") and ["m", "").
class PdAdapter : public testing::Test {
 protected:
  void SetUp() override {
    server_.RegisterUnary("/pdpb.PD/GetMembers", [this](rpc::UnaryCall&, rpc::RawResponder r) {
      pdpb::GetMembersResponse reply;
      reply.mutable_header()->set_cluster_id(7);
      reply.mutable_leader()->add_client_urls("http://" + address_);
      *reply.add_members() = reply.leader();
      r.Reply(reply.SerializeAsString());
    });
    server_.RegisterUnary("/pdpb.PD/GetRegion", [](rpc::UnaryCall& call, rpc::RawResponder r) {
      pdpb::GetRegionRequest request;
      ASSERT_TRUE(request.ParseFromString(std::string(call.request())));
      pdpb::GetRegionResponse reply;
      reply.mutable_header()->set_cluster_id(7);
      if (request.region_key() != "hole") {
        const bool first = request.region_key() < "m";
        reply.mutable_region()->set_id(first ? 1 : 2);
        reply.mutable_leader()->set_store_id(9);
      }
      r.Reply(reply.SerializeAsString());
    });
    server_.RegisterUnary("/pdpb.PD/GetStore", [](rpc::UnaryCall&, rpc::RawResponder r) {
      pdpb::GetStoreResponse reply;
      reply.mutable_header()->set_cluster_id(7);
      reply.mutable_header()->mutable_error()->set_type(pdpb::UNKNOWN);
      reply.mutable_header()->mutable_error()->set_message("invalid store ID 5, not found");
      r.Reply(reply.SerializeAsString());
    });
    const auto port = server_.Listen("127.0.0.1:0");
    ASSERT_TRUE(port.ok()) << port.status();
    address_ = fmt::format("127.0.0.1:{}", *port);
    channel_ = std::make_unique<pdchannel::PdChannel>(
        pdchannel::PdChannelOptions{.endpoints = {address_}}, &pool_, &timers_, &clock_);
    pd_ = std::make_unique<GrpcPd>(channel_.get(), milliseconds(20'000));
  }

  absl::StatusOr<PdRegion> Region(const std::string& key, bool before) {
    Awaited<absl::StatusOr<PdRegion>> done;
    pd_->GetRegion(key, before, [&](absl::StatusOr<PdRegion> r) { done.Set(std::move(r)); });
    return done.Get();
  }

  PosixClock clock_;
  rpc::Server server_{rpc::ServerOptions()};
  std::string address_;
  ThreadExecutor timers_{{.name = "timers"}, &clock_};
  rpc::ChannelPool pool_;  // Ends first: its thread posts to timers_.
  std::unique_ptr<pdchannel::PdChannel> channel_;
  std::unique_ptr<GrpcPd> pd_;
};

TEST_F(PdAdapter, FindsTheRegionOfAKeyAndTheOneBeforeIt) {
  EXPECT_EQ(Region("a", false)->region.id(), 1u);
  EXPECT_EQ(Region("m", false)->region.id(), 2u);
  EXPECT_EQ(Region("m", true)->region.id(), 1u) << "the border belongs to the right one";
  EXPECT_EQ(Region(std::string("m\0", 2), true)->region.id(), 2u);
  EXPECT_EQ(Region("n", true)->region.id(), 2u);
  EXPECT_EQ(Region("", true)->region.id(), 2u) << "before the end of all keys";
  EXPECT_EQ(Region("m", false)->leader.store_id(), 9u);
}

TEST_F(PdAdapter, WhatPdDoesNotKnowIsNotFound) {
  EXPECT_TRUE(absl::IsNotFound(Region("hole", false).status()));
  Awaited<absl::StatusOr<metapb::Store>> store;
  pd_->GetStore(5, [&](absl::StatusOr<metapb::Store> s) { store.Set(std::move(s)); });
  const absl::Status status = store.Get().status();
  EXPECT_FALSE(status.ok());
  EXPECT_NE(std::string(status.message()).find("invalid store ID 5"), std::string::npos);
}

}  // namespace
}  // namespace tikv::client
