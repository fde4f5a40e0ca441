// PdChannel against members of PD made of our own server.
#include "lib/pdchannel/pd_channel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <optional>

#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/rpc/server.h"

namespace tikv::pdchannel {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

template <class T>
class Waiter {
 public:
  void Set(T value) {
    std::lock_guard lock(mutex_);
    value_ = std::move(value);
    changed_.notify_all();
  }
  std::optional<T> Get() {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, seconds(10), [this] { return value_.has_value(); });
    return std::exchange(value_, std::nullopt);
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<T> value_;
};

// One member; says who leads and serves GetStore only while it does itself.
class Member {
 public:
  Member() : server_(rpc::ServerOptions{.loops = 1}) {
    rpc::Unary<pdpb::GetMembersRequest, pdpb::GetMembersResponse>(
        server_, "/pdpb.PD/GetMembers",
        [this](const pdpb::GetMembersRequest&, const rpc::CallContext&,
               rpc::Responder<pdpb::GetMembersResponse> responder) {
          pdpb::GetMembersResponse reply;
          reply.mutable_header()->set_cluster_id(77);
          std::lock_guard lock(mutex_);
          for (const std::string& url : members_) reply.add_members()->add_client_urls(url);
          if (!leader_.empty()) reply.mutable_leader()->add_client_urls(leader_);
          responder.Reply(reply);
        });
    rpc::Unary<pdpb::GetStoreRequest, pdpb::GetStoreResponse>(
        server_, "/pdpb.PD/GetStore",
        [this](const pdpb::GetStoreRequest& request, const rpc::CallContext&,
               rpc::Responder<pdpb::GetStoreResponse> responder) {
          ++calls;
          if (!leads()) return responder.Fail(Unavailable("not leader"));
          pdpb::GetStoreResponse reply;
          if (request.header().cluster_id() != 77) {
            reply.mutable_header()->mutable_error()->set_type(pdpb::UNKNOWN);
          } else if (request.store_id() == 404) {
            auto* error = reply.mutable_header()->mutable_error();
            error->set_type(pdpb::REGION_NOT_FOUND);
            error->set_message("no such store");
          }
          reply.mutable_store()->set_id(request.store_id());
          reply.mutable_store()->set_address(url);
          responder.Reply(reply);
        });
    rpc::Stream<pdpb::RegionHeartbeatRequest, pdpb::RegionHeartbeatResponse>(
        server_, "/pdpb.PD/RegionHeartbeat",
        [this](rpc::TypedStream<pdpb::RegionHeartbeatResponse> stream, const rpc::CallContext&) {
          if (!leads()) stream.Finish(Unavailable("not leader"));
          return std::make_unique<Echo>(std::move(stream));
        });
    url = fmt::format("http://127.0.0.1:{}", *server_.Listen("127.0.0.1:0"));
  }

  void Show(std::vector<std::string> members, std::string leader) {
    std::lock_guard lock(mutex_);
    members_ = std::move(members);
    leader_ = std::move(leader);
  }
  bool leads() {
    std::lock_guard lock(mutex_);
    return leader_ == url;
  }
  void Stop() { server_.Stop(); }

  std::string url;
  std::atomic<int> calls{0};

 private:
  class Echo : public rpc::TypedStreamHandler<pdpb::RegionHeartbeatRequest> {
   public:
    explicit Echo(rpc::TypedStream<pdpb::RegionHeartbeatResponse> stream)
        : stream_(std::move(stream)) {}
    void OnMessage(const pdpb::RegionHeartbeatRequest& request) override {
      pdpb::RegionHeartbeatResponse reply;
      reply.set_region_id(request.region().id());
      stream_.Send(reply);
    }
    void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
    void OnClosed(const absl::Status&) override {}

   private:
    rpc::TypedStream<pdpb::RegionHeartbeatResponse> stream_;
  };

  std::mutex mutex_;
  std::vector<std::string> members_;
  std::string leader_;
  rpc::Server server_;
};

class PdChannelTest : public ::testing::Test {
 protected:
  PdChannelTest() { Lead(a_); }
  ~PdChannelTest() override {
    pd_.reset();
    strand_.Stop();
  }

  void Lead(const Member& leader) {
    for (Member* member : {&a_, &b_}) member->Show({a_.url, b_.url}, leader.url);
  }
  void Connect(std::vector<std::string> endpoints) {
    PdChannelOptions options;
    options.endpoints = std::move(endpoints);
    options.attempt_timeout = milliseconds(500);
    pd_.emplace(std::move(options), &pool_, &strand_, &clock_);
  }
  absl::StatusOr<pdpb::GetStoreResponse> GetStore(uint64_t id, Duration timeout = seconds(8)) {
    Waiter<absl::StatusOr<pdpb::GetStoreResponse>> answer;
    pdpb::GetStoreRequest request;
    request.set_store_id(id);
    Call<pdpb::GetStoreResponse>(
        *pd_, "/pdpb.PD/GetStore", request, timeout,
        [&](absl::StatusOr<pdpb::GetStoreResponse> reply) { answer.Set(std::move(reply)); });
    return answer.Get().value_or(Internal("never answered"));
  }

  PosixClock clock_;
  ThreadExecutor strand_{{.name = "pd"}, &clock_};
  rpc::ChannelPool pool_;
  Member a_, b_;
  std::optional<PdChannel> pd_;
};

TEST_F(PdChannelTest, FindsTheLeaderThroughAnyMember) {
  Connect({b_.url});
  const auto reply = GetStore(5);
  ASSERT_TRUE(reply.ok()) << reply.status();
  EXPECT_EQ(reply->store().address(), a_.url);
  EXPECT_EQ(pd_->leader_url(), a_.url);
  EXPECT_EQ(pd_->cluster_id(), ClusterId(77));
  EXPECT_EQ(b_.calls, 0);
}

TEST_F(PdChannelTest, FollowsTheLeader) {
  Connect({a_.url});
  ASSERT_TRUE(GetStore(5).ok());
  Lead(b_);
  EXPECT_EQ(GetStore(5)->store().address(), b_.url);
  a_.Stop();  // A member that is gone must not matter.
  EXPECT_EQ(GetStore(5)->store().address(), b_.url);
}

TEST_F(PdChannelTest, ErrorsOfThePlacementDriverAreNotRepeated) {
  Connect({a_.url});
  EXPECT_EQ(GetStore(404).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(a_.calls, 1);
}

TEST_F(PdChannelTest, WithoutALeaderCallsEndByTheirDeadlineAndSayWhy) {
  for (Member* member : {&a_, &b_}) member->Show({a_.url, b_.url}, "");
  Connect({a_.url, b_.url});
  const absl::Status status = GetStore(5, milliseconds(300)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_NE(Message(status).find("no leader"), std::string_view::npos) << status;
}

TEST_F(PdChannelTest, ClosingAnswersWhatWaits) {
  for (Member* member : {&a_, &b_}) member->Show({a_.url, b_.url}, "");
  Connect({a_.url});
  Waiter<absl::Status> answer;
  pd_->WaitForLeader(seconds(60), [&](absl::Status status) { answer.Set(std::move(status)); });
  pd_.reset();
  EXPECT_EQ(answer.Get()->code(), absl::StatusCode::kCancelled);
}

class Listener : public PdStreamHandler {
 public:
  Listener(Waiter<int>* opened, Waiter<uint64_t>* message) : opened_(opened), message_(message) {}
  void OnOpen() override { opened_->Set(1); }
  void OnMessage(std::string_view bytes) override {
    pdpb::RegionHeartbeatResponse reply;
    if (reply.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
      message_->Set(reply.region_id());
    }
  }
  void OnBroken(const absl::Status&) override {}

 private:
  Waiter<int>* opened_;
  Waiter<uint64_t>* message_;
};

TEST_F(PdChannelTest, AStreamIsOpenedAgainAtTheNewLeader) {
  Connect({a_.url});
  Waiter<int> opened;
  Waiter<uint64_t> message;
  auto stream =
      pd_->OpenStream("/pdpb.PD/RegionHeartbeat", std::make_unique<Listener>(&opened, &message));
  ASSERT_TRUE(opened.Get().has_value());
  pdpb::RegionHeartbeatRequest request;
  request.mutable_region()->set_id(9);
  ASSERT_TRUE(stream->Send(request.SerializeAsString()));
  EXPECT_EQ(message.Get(), 9u);
  Lead(b_);
  a_.Stop();
  ASSERT_TRUE(opened.Get().has_value());
  request.mutable_region()->set_id(10);
  while (!stream->Send(request.SerializeAsString())) {
    ASSERT_TRUE(opened.Get().has_value());
  }
  EXPECT_EQ(message.Get(), 10u);
}

}  // namespace
}  // namespace tikv::pdchannel
