#include "lib/rpc/request_rules.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tikv::rpc {
namespace {

using Headers = std::vector<std::pair<std::string, std::string>>;

const Headers kRequest = {{":method", "POST"}, {":scheme", "http"}, {":authority", "pd:2379"},
                          {":path", "/s/M"},   {"te", "trailers"},  {"x-key", "value"}};

bool Accepts(const Headers& headers) {
  RequestRules rules;
  for (const auto& [name, value] : headers) {
    if (!rules.OnHeader(name, value)) return false;
  }
  return rules.OnHeadersEnd();
}

Headers With(std::string name, std::string value) {
  Headers headers = kRequest;
  headers.emplace_back(std::move(name), std::move(value));
  return headers;
}

Headers Without(std::string_view name) {
  Headers headers = kRequest;
  std::erase_if(headers, [&](const auto& header) { return header.first == name; });
  return headers;
}

TEST(RequestRulesTest, TakesWhatClientsSend) {
  EXPECT_TRUE(Accepts(kRequest));
  EXPECT_TRUE(Accepts(Without(":authority")));
  EXPECT_TRUE(Accepts({{":method", "CONNECT"}, {":authority", "pd:2379"}}));
}

TEST(RequestRulesTest, AuthorityMayBeAnyText) {
  Headers headers = kRequest;
  headers[2].second = "http://127.0.0.1:2379";
  EXPECT_TRUE(Accepts(headers));
  headers[2].second = "a\nb";
  EXPECT_FALSE(Accepts(headers));
}

TEST(RequestRulesTest, RefusesMalformedRequests) {
  for (const char* name : {":method", ":scheme", ":path"}) {
    EXPECT_FALSE(Accepts(Without(name))) << name;
  }
  EXPECT_FALSE(Accepts(With(":path", "/late")));
  EXPECT_FALSE(Accepts({{":method", "POST"}, {":method", "POST"}}));
  EXPECT_FALSE(Accepts({{":status", "200"}}));
  for (auto [name, value] : Headers{{":path", ""}, {":scheme", ""}, {":method", "a b"}}) {
    EXPECT_FALSE(RequestRules().OnHeader(name, value)) << name;
  }
  EXPECT_FALSE(Accepts(With("X-Upper", "v")));
  EXPECT_FALSE(Accepts(With("", "v")));
  EXPECT_FALSE(Accepts(With("x", std::string("a\0b", 3))));
  EXPECT_FALSE(Accepts(With("te", "gzip")));
  EXPECT_FALSE(Accepts(With("connection", "keep-alive")));
}

TEST(RequestRulesTest, TrailersHoldNoPseudoHeader) {
  EXPECT_TRUE(RequestRules::OnTrailer("x-key", "value"));
  EXPECT_FALSE(RequestRules::OnTrailer(":method", "POST"));
  EXPECT_FALSE(RequestRules::OnTrailer("upgrade", "h2c"));
}

TEST(RequestRulesTest, HoldsTheBodyAgainstContentLength) {
  EXPECT_FALSE(Accepts(With("content-length", "-1")));
  EXPECT_FALSE(Accepts(With("content-length", "1x")));
  RequestRules rules;
  EXPECT_TRUE(rules.OnBodyEnd());
  ASSERT_TRUE(rules.OnHeader("content-length", "5"));
  EXPECT_FALSE(rules.OnHeader("content-length", "5"));
  EXPECT_TRUE(rules.OnBody(3));
  EXPECT_FALSE(rules.OnBodyEnd());
  EXPECT_TRUE(rules.OnBody(2));
  EXPECT_TRUE(rules.OnBodyEnd());
  EXPECT_FALSE(rules.OnBody(1));
}

}  // namespace
}  // namespace tikv::rpc
