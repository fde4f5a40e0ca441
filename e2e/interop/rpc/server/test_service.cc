#include "e2e/interop/rpc/server/test_service.h"

#include <deque>
#include <mutex>

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "orca.pb.h"
#include "testing.pb.h"

namespace tikv::interop {
namespace {

using grpc::testing::Empty;
using grpc::testing::Payload;
using grpc::testing::SimpleRequest;
using grpc::testing::SimpleResponse;
using grpc::testing::StreamingInputCallRequest;
using grpc::testing::StreamingInputCallResponse;
using grpc::testing::StreamingOutputCallRequest;
using grpc::testing::StreamingOutputCallResponse;
using grpc::testing::TestOrcaReport;
using xds::data::orca::v3::OrcaLoadReport;
using xds::data::orca::v3::OrcaLoadReportRequest;

constexpr char kEchoInitial[] = "x-grpc-test-echo-initial";
constexpr char kEchoTrailing[] = "x-grpc-test-echo-trailing-bin";
constexpr char kLoadReport[] = "endpoint-load-metrics-bin";

OrcaLoadReport ToLoadReport(const TestOrcaReport& from) {
  OrcaLoadReport to;
  to.set_cpu_utilization(from.cpu_utilization());
  to.set_mem_utilization(from.memory_utilization());
  *to.mutable_request_cost() = from.request_cost();
  *to.mutable_utilization() = from.utilization();
  return to;
}

// The load that the server claims for itself; set by FullDuplexCall, reported with every call.
class OwnLoad {
 public:
  void Set(const TestOrcaReport& report) {
    std::lock_guard lock(mutex_);
    report_ = report;
  }
  OrcaLoadReport Report() {
    std::lock_guard lock(mutex_);
    return ToLoadReport(report_);
  }
  OrcaLoadReport Merged(const SimpleRequest& request) {
    std::lock_guard lock(mutex_);
    TestOrcaReport merged = report_;
    merged.MergeFrom(request.orca_per_query_report());
    return ToLoadReport(merged);
  }

 private:
  std::mutex mutex_;
  TestOrcaReport report_;
};

absl::Status Wanted(const grpc::testing::EchoStatus& status) {
  return {static_cast<absl::StatusCode>(status.code()), status.message()};
}

void FillPayload(int size, Payload* payload) {
  payload->mutable_body()->assign(static_cast<size_t>(size), '\0');
}

rpc::Metadata EchoTrailers(const rpc::CallContext& context) {
  rpc::Metadata trailers;
  if (auto value = context.Find(kEchoTrailing)) trailers.emplace_back(kEchoTrailing, *value);
  return trailers;
}

void EchoInitial(const rpc::ServerStream& stream) {
  if (auto value = stream.context().Find(kEchoInitial)) {
    stream.SendInitialMetadata({{kEchoInitial, std::string(*value)}});
  }
}

// Whether the request came compressed if its client says that it does.
template <class Request>
bool AsExpected(const Request& request, const rpc::CallContext& context) {
  return !request.expect_compressed().value() || context.message_compressed();
}

// UnaryCall, as a stream because it may send initial metadata.
class UnaryCallHandler final : public rpc::TypedStreamHandler<SimpleRequest> {
 public:
  UnaryCallHandler(rpc::TypedStream<SimpleResponse> stream, std::shared_ptr<OwnLoad> load)
      : stream_(std::move(stream)), load_(std::move(load)) {
    EchoInitial(stream_.raw());
  }

  void OnMessage(const SimpleRequest& request) override {
    if (!AsExpected(request, stream_.context())) {
      return stream_.Finish(InvalidArgument("the request is not compressed"));
    }
    rpc::Metadata trailers = EchoTrailers(stream_.context());
    trailers.emplace_back(kLoadReport, load_->Merged(request).SerializeAsString());
    if (request.response_status().code() != 0) {
      return stream_.Finish(Wanted(request.response_status()), std::move(trailers));
    }
    if (request.response_size() < 0) return stream_.Finish(InvalidArgument("negative size"));
    SimpleResponse response;
    FillPayload(request.response_size(), response.mutable_payload());
    if (request.fill_server_id()) response.set_server_id("lib/rpc");
    if (request.response_compressed().value()) stream_.raw().Compress(true);
    stream_.Send(response);
    stream_.Finish(absl::OkStatus(), std::move(trailers));
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override {}

 private:
  rpc::TypedStream<SimpleResponse> stream_;
  std::shared_ptr<OwnLoad> load_;
};

class InputHandler final : public rpc::TypedStreamHandler<StreamingInputCallRequest> {
 public:
  explicit InputHandler(rpc::TypedStream<StreamingInputCallResponse> stream)
      : stream_(std::move(stream)) {}
  void OnMessage(const StreamingInputCallRequest& request) override {
    if (!AsExpected(request, stream_.context())) {
      return stream_.Finish(InvalidArgument("the request is not compressed"));
    }
    total_ += static_cast<int>(request.payload().body().size());
  }
  void OnHalfClose() override {
    StreamingInputCallResponse response;
    response.set_aggregated_payload_size(total_);
    stream_.Send(response);
    stream_.Finish(absl::OkStatus());
  }
  void OnClosed(const absl::Status&) override {}

 private:
  rpc::TypedStream<StreamingInputCallResponse> stream_;
  int total_ = 0;
};

// Sends what requests ask for, in order and with their delays.  Kept alive by its timers.
class Output : public std::enable_shared_from_this<Output> {
 public:
  Output(rpc::TypedStream<StreamingOutputCallResponse> stream, Executor* timers)
      : stream_(std::move(stream)), timers_(timers) {}

  void Add(const StreamingOutputCallRequest& request) {
    std::lock_guard lock(mutex_);
    for (const auto& p : request.response_parameters())
      waiting_.push_back({p.size(), p.interval_us(), p.compressed().value()});
    if (request.response_status().code() != 0) status_ = Wanted(request.response_status());
    PumpLocked();
  }
  void Finish() {
    std::lock_guard lock(mutex_);
    finishing_ = true;
    PumpLocked();
  }

 private:
  struct Wish {
    int size;
    int delay_us;
    bool compressed;
  };

  void PumpLocked() {
    while (!delayed_ && !waiting_.empty()) {
      if (int delay_us = std::exchange(waiting_.front().delay_us, 0); delay_us > 0) {
        delayed_ = true;
        timers_->PostAfter(std::chrono::microseconds(delay_us), [self = shared_from_this()] {
          std::lock_guard lock(self->mutex_);
          self->delayed_ = false;
          self->PumpLocked();
        });
        return;
      }
      StreamingOutputCallResponse response;
      FillPayload(waiting_.front().size, response.mutable_payload());
      stream_.raw().Compress(waiting_.front().compressed);
      waiting_.pop_front();
      stream_.Send(response);
    }
    if (delayed_) return;
    if (finishing_ || !status_.ok()) stream_.Finish(status_, EchoTrailers(stream_.context()));
  }

  rpc::TypedStream<StreamingOutputCallResponse> stream_;
  Executor* const timers_;
  std::mutex mutex_;
  std::deque<Wish> waiting_;
  bool delayed_ = false;
  bool finishing_ = false;
  absl::Status status_;
};

class OutputHandler final : public rpc::TypedStreamHandler<StreamingOutputCallRequest> {
 public:
  OutputHandler(rpc::TypedStream<StreamingOutputCallResponse> stream, Executor* timers,
                std::shared_ptr<OwnLoad> load)
      : output_(std::make_shared<Output>(stream, timers)), load_(std::move(load)) {
    EchoInitial(stream.raw());
  }
  void OnMessage(const StreamingOutputCallRequest& request) override {
    if (request.has_orca_oob_report()) load_->Set(request.orca_oob_report());
    output_->Add(request);
  }
  void OnHalfClose() override { output_->Finish(); }
  void OnClosed(const absl::Status&) override {}

 private:
  std::shared_ptr<Output> output_;
  std::shared_ptr<OwnLoad> load_;
};

// OpenRcaService: reports the server's load at an interval for as long as the client wants.
class LoadReports final : public rpc::TypedStreamHandler<OrcaLoadReportRequest> {
 public:
  LoadReports(rpc::TypedStream<OrcaLoadReport> stream, Executor* timers,
              std::shared_ptr<OwnLoad> load)
      : stream_(std::move(stream)), timers_(timers), load_(std::move(load)) {}

  void OnMessage(const OrcaLoadReportRequest& request) override {
    const auto asked = std::chrono::seconds(request.report_interval().seconds()) +
                       std::chrono::nanoseconds(request.report_interval().nanos());
    Send(stream_, timers_, load_, std::max<std::chrono::nanoseconds>(asked, kShortest));
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override {}

 private:
  static constexpr std::chrono::milliseconds kShortest{100};

  static void Send(rpc::TypedStream<OrcaLoadReport> stream, Executor* timers,
                   std::shared_ptr<OwnLoad> load, std::chrono::nanoseconds interval) {
    if (!stream.Send(load->Report())) return;
    timers->PostAfter(interval, [=] { Send(stream, timers, load, interval); });
  }

  rpc::TypedStream<OrcaLoadReport> stream_;
  Executor* const timers_;
  std::shared_ptr<OwnLoad> load_;
};

// For attacks and load: bytes without any protobuf.
void RegisterRaw(rpc::Server& server) {
  server.RegisterUnary("/raw.Test/Echo", [](rpc::UnaryCall& call, rpc::RawResponder responder) {
    responder.Reply(call.TakeRequest());
  });
  server.RegisterUnary("/raw.Test/Length", [](rpc::UnaryCall& call, rpc::RawResponder responder) {
    responder.Reply(fmt::format("{}", call.request().size()));
  });
  // As many bytes as the request's text says.
  server.RegisterUnary("/raw.Test/Blob", [](rpc::UnaryCall& call, rpc::RawResponder responder) {
    size_t size = strtoul(std::string(call.request()).c_str(), nullptr, 10);
    responder.Reply(std::string(std::min(size, size_t{64} << 20), 'b'));
  });
}

}  // namespace

void RegisterTestService(rpc::Server& server, Executor* timers) {
  auto load = std::make_shared<OwnLoad>();
  const std::string service = "/grpc.testing.TestService/";
  rpc::Unary<Empty, Empty>(server, service + "EmptyCall",
                           [](const Empty&, const rpc::CallContext&,
                              rpc::Responder<Empty> responder) { responder.Reply(Empty()); });
  auto unary = [load](rpc::TypedStream<SimpleResponse> stream, const rpc::CallContext&) {
    return std::make_unique<UnaryCallHandler>(std::move(stream), load);
  };
  rpc::Stream<SimpleRequest, SimpleResponse>(server, service + "UnaryCall", unary);
  rpc::Stream<SimpleRequest, SimpleResponse>(server, service + "CacheableUnaryCall", unary);
  rpc::Stream<StreamingInputCallRequest, StreamingInputCallResponse>(
      server, service + "StreamingInputCall",
      [](rpc::TypedStream<StreamingInputCallResponse> stream, const rpc::CallContext&) {
        return std::make_unique<InputHandler>(std::move(stream));
      });
  for (const char* method : {"StreamingOutputCall", "FullDuplexCall", "HalfDuplexCall"}) {
    rpc::Stream<StreamingOutputCallRequest, StreamingOutputCallResponse>(
        server, service + method,
        [timers, load](rpc::TypedStream<StreamingOutputCallResponse> stream,
                       const rpc::CallContext&) {
          return std::make_unique<OutputHandler>(std::move(stream), timers, load);
        });
  }
  rpc::Stream<OrcaLoadReportRequest, OrcaLoadReport>(
      server, "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics",
      [timers, load](rpc::TypedStream<OrcaLoadReport> stream, const rpc::CallContext&) {
        return std::make_unique<LoadReports>(std::move(stream), timers, load);
      });
  RegisterRaw(server);
}

}  // namespace tikv::interop
