#include "pd/service/http/api.h"

#include <gtest/gtest.h>

namespace tikv::pd {
namespace {

class RecordingSink : public http::ResponseSink {
 public:
  void Send(http::Response response) override { answer = std::move(response); }
  std::shared_ptr<http::BodyStream> StartStream(int, http::Headers) override { return nullptr; }
  http::Response answer;
};

std::optional<Json> BodyOf(std::string text, http::Response* answer) {
  auto sink = std::make_shared<RecordingSink>();
  http::Request request;
  request.body = std::move(text);
  std::optional<Json> body;
  {
    HttpCall call(std::move(request), http::Responder(sink));
    body = call.Body();
    if (body) call.Plain("", 200);
  }
  *answer = sink->answer;
  return body;
}

TEST(HttpCallTest, TakesJsonOfSaneDepthOnly) {
  http::Response answer;
  auto body = BodyOf(R"({"a":[{"b":1},[2]]})", &answer);
  ASSERT_TRUE(body.has_value());
  EXPECT_EQ(body->dump(), R"({"a":[{"b":1},[2]]})");

  EXPECT_FALSE(BodyOf("{\"a\":", &answer).has_value());
  EXPECT_EQ(answer.status, 400);

  // Whole, and cut off: neither may exhaust the stack.
  const std::string open(400'000, '['), close(400'000, ']');
  EXPECT_FALSE(BodyOf("{\"a\":" + open + close + "}", &answer).has_value());
  EXPECT_EQ(answer.status, 400);
  EXPECT_FALSE(BodyOf(open, &answer).has_value());
  EXPECT_EQ(answer.status, 400);
}

}  // namespace
}  // namespace tikv::pd
