// HTTP requests and responses as plain values.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tikv::http {

// Names compare without regard to case; a name may repeat.
using Headers = std::vector<std::pair<std::string, std::string>>;
std::optional<std::string_view> FindHeader(const Headers& headers, std::string_view name);

// A request as a handler sees it.
struct Request {
  std::string method;                         // "GET"
  std::string target;                         // As received: "/pd/api/v1/stores?state=0".
  std::string path;                           // Before '?', not decoded.
  std::map<std::string, std::string> params;  // {name} parts of the route, percent-decoded.
  std::vector<std::pair<std::string, std::string>> query;  // Percent-decoded, in order.
  Headers headers;
  std::string body;
  std::string peer;         // "127.0.0.1:4711"
  std::string common_name;  // Of the certificate that the client showed; "" without one.

  // The first value of a query parameter.
  std::optional<std::string_view> Query(std::string_view name) const;
  std::optional<std::string_view> Header(std::string_view name) const {
    return FindHeader(headers, name);
  }
  // REQUIRES: the route has a {name} part.
  const std::string& Param(const std::string& name) const { return params.at(name); }
};

// A whole response.  Content-Length, Date and Connection are added when sent.
struct Response {
  int status = 200;
  Headers headers;
  std::string body;

  static Response Text(int status, std::string body);
  static Response Json(int status, std::string body);  // `body` is JSON text.
};

std::string PercentDecode(std::string_view text, bool plus_is_space);
std::string PercentEncode(std::string_view text);

}  // namespace tikv::http
