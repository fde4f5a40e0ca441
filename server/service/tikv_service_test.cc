// The services over a real connection on the loopback, above an engine without Raft.
#include "server/service/tikv_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/rpc/channel.h"
#include "server/service/health_service.h"
#include "server/storage/raw/fake_replicated_engine.h"

namespace tikv::server {
namespace {

using tikvpb::BatchCommandsRequest;
using tikvpb::BatchCommandsResponse;

class IgnoreCalls : public CallObserver {
 public:
  void OnCall(Method, Duration) override {}
  void OnFailed(Method) override {}
  void OnBatchRequest(size_t) override {}
  void OnBatchResponse(size_t) override {}
};

// Collects what a batch stream answers.
struct Replies {
  std::mutex mutex;
  std::condition_variable changed;
  std::map<uint64_t, BatchCommandsResponse::Response> by_id;
  int with_health = 0;
  absl::Status status;
  bool closed = false;

  void Wait(size_t replies) {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return closed || by_id.size() >= replies; });
  }
  void WaitClosed() {
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return closed; });
  }
};

class Receiver : public rpc::ClientStreamHandler {
 public:
  explicit Receiver(std::shared_ptr<Replies> out) : out_(std::move(out)) {}
  void OnMessage(std::string_view bytes) override {
    BatchCommandsResponse message;
    ASSERT_TRUE(message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size())));
    std::lock_guard lock(out_->mutex);
    for (int i = 0; i < message.responses_size(); ++i) {
      out_->by_id[message.request_ids(i)] = message.responses(i);
    }
    if (message.has_health_feedback()) ++out_->with_health;
    out_->changed.notify_all();
  }
  void OnClosed(const absl::Status& status) override {
    std::lock_guard lock(out_->mutex);
    out_->status = status;
    out_->closed = true;
    out_->changed.notify_all();
  }

 private:
  std::shared_ptr<Replies> out_;
};

class TikvServiceTest : public testing::Test {
 protected:
  TikvServiceTest() {
    service_.Register(&server_);
    health_.Register(&server_);
    const auto port = server_.Listen("127.0.0.1:0");
    CHECK(port.ok());
    channel_ = channels_.Get("127.0.0.1:" + std::to_string(*port));
  }
  ~TikvServiceTest() override { server_.Stop(); }

  template <class Response>
  absl::StatusOr<Response> Call(std::string_view path, const google::protobuf::MessageLite& m) {
    return rpc::CallUnaryAndWait<Response>(*channel_, path, m,
                                           {.timeout = std::chrono::seconds(10)});
  }

  std::shared_ptr<rpc::ClientStream> Open() {
    replies_ = std::make_shared<Replies>();
    return channel_->OpenStream("/tikvpb.Tikv/BatchCommands", {},
                                std::make_unique<Receiver>(replies_));
  }

  PosixClock clock_;
  ThreadExecutor completions_{{.name = "completions"}, &clock_};
  ThreadPool pool_{{.name = "pool"}};
  FakeReplicatedEngine engine_;
  RawStorage storage_{ApiVersion::kV1, &engine_, &pool_, &clock_};
  RequestGate gate_{ClusterId(7), ApiVersion::kV1, &clock_};
  RawCommands raw_{&gate_, &storage_};
  HealthFeedbackSource feedback_{StoreId(3), &clock_};
  IgnoreCalls observer_;
  TikvService service_{
      {&gate_, &raw_, &feedback_, &observer_, &clock_, &completions_}, &engine_, nullptr};
  HealthService health_;
  rpc::Server server_{rpc::ServerOptions{.loops = 1}};
  rpc::ChannelPool channels_;
  std::shared_ptr<rpc::Channel> channel_;
  std::shared_ptr<Replies> replies_;
};

TEST_F(TikvServiceTest, UnaryPutAndGet) {
  kvrpcpb::RawPutRequest put;
  put.set_key("a");
  put.set_value("1");
  ASSERT_TRUE(Call<kvrpcpb::RawPutResponse>("/tikvpb.Tikv/RawPut", put).ok());
  kvrpcpb::RawGetRequest get;
  get.set_key("a");
  const auto got = Call<kvrpcpb::RawGetResponse>("/tikvpb.Tikv/RawGet", get);
  ASSERT_TRUE(got.ok());
  EXPECT_EQ(got->value(), "1");
  get.mutable_context()->set_cluster_id(8);
  EXPECT_TRUE(
      absl::IsInvalidArgument(Call<kvrpcpb::RawGetResponse>("/tikvpb.Tikv/RawGet", get).status()));
}

TEST_F(TikvServiceTest, TransactionsAreRefusedCleanly) {
  const auto read = Call<kvrpcpb::GetResponse>("/tikvpb.Tikv/KvGet", kvrpcpb::GetRequest());
  ASSERT_TRUE(read.ok());
  EXPECT_THAT(read->error().abort(), testing::HasSubstr("not supported"));
  const auto write =
      Call<kvrpcpb::PrewriteResponse>("/tikvpb.Tikv/KvPrewrite", kvrpcpb::PrewriteRequest());
  EXPECT_TRUE(absl::IsUnimplemented(write.status()));
}

TEST_F(TikvServiceTest, BatchAnswersEveryId) {
  auto stream = Open();
  BatchCommandsRequest message;
  message.add_requests()->mutable_rawput()->set_key("a");
  message.add_requests()->mutable_rawget()->set_key("absent");
  message.add_requests()->mutable_empty()->set_test_id(42);
  message.add_requests();  // A command of a newer client.
  message.add_requests()->mutable_gc()->set_safe_point(1);
  message.add_requests()->mutable_prewrite();
  for (uint64_t id : {10, 11, 12, 13, 14, 15, 99}) message.add_request_ids(id);
  ASSERT_TRUE(stream->Send(message.SerializeAsString()));
  replies_->Wait(6);
  stream->HalfClose();
  replies_->WaitClosed();
  EXPECT_TRUE(replies_->status.ok()) << replies_->status.ToString();
  ASSERT_EQ(replies_->by_id.size(), 6u) << "an id without a request is not answered";
  EXPECT_TRUE(replies_->by_id[10].has_rawput());
  EXPECT_TRUE(replies_->by_id[11].rawget().not_found());
  EXPECT_EQ(replies_->by_id[12].empty().test_id(), 42u);
  EXPECT_EQ(replies_->by_id[13].cmd_case(), BatchCommandsResponse::Response::CMD_NOT_SET);
  EXPECT_THAT(replies_->by_id[14].gc().error().abort(), testing::HasSubstr("not supported"));
  EXPECT_EQ(replies_->by_id[15].prewrite().errors_size(), 1);
  EXPECT_EQ(replies_->with_health, 1) << "at most once a second";
}

TEST_F(TikvServiceTest, HalfCloseWaitsForTheLastReply) {
  auto stream = Open();
  BatchCommandsRequest message;
  message.add_requests()->mutable_empty()->set_delay_time(50);
  message.add_request_ids(1);
  ASSERT_TRUE(stream->Send(message.SerializeAsString()));
  stream->HalfClose();
  replies_->WaitClosed();
  EXPECT_TRUE(replies_->status.ok());
  EXPECT_EQ(replies_->by_id.size(), 1u);
}

TEST_F(TikvServiceTest, AnotherClustersRequestEndsTheStream) {
  auto stream = Open();
  BatchCommandsRequest message;
  message.add_requests()->mutable_rawget()->mutable_context()->set_cluster_id(8);
  message.add_request_ids(1);
  ASSERT_TRUE(stream->Send(message.SerializeAsString()));
  replies_->WaitClosed();
  EXPECT_TRUE(absl::IsInvalidArgument(replies_->status)) << replies_->status.ToString();
}

TEST_F(TikvServiceTest, HealthFollowsTheStore) {
  using grpc::health::v1::HealthCheckRequest;
  using grpc::health::v1::HealthCheckResponse;
  const auto check = [&](std::string name) {
    HealthCheckRequest request;
    request.set_service(std::move(name));
    return Call<HealthCheckResponse>("/grpc.health.v1.Health/Check", request);
  };
  EXPECT_EQ(check("")->status(), HealthCheckResponse::NOT_SERVING);
  health_.SetServing(true);
  EXPECT_EQ(check("")->status(), HealthCheckResponse::SERVING);
  EXPECT_TRUE(absl::IsNotFound(check("nobody").status()));
}

}  // namespace
}  // namespace tikv::server
