// What all routes share: replies in the original's shapes, where a route is served, redirection.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "lib/http/router.h"
#include "pd/cluster/cluster.h"
#include "pd/service/http/register.h"

namespace tikv::pd {

using Json = nlohmann::ordered_json;

// Indented as the original does; bytes that are no UTF-8 are replaced.
std::string Dump(Json json, bool indent = true);

// One request on its way through the API.  Answered once, from any thread.
class HttpCall {
 public:
  HttpCall(http::Request request, http::Responder responder)
      : request_(std::move(request)), responder_(std::move(responder)) {}

  const http::Request& request() const { return request_; }
  http::Request& mutable_request() { return request_; }
  const std::string& Param(const std::string& name) const { return request_.Param(name); }
  std::string Query(std::string_view name) const {
    return std::string(request_.Query(name).value_or(""));
  }

  void Reply(Json json, int status = 200);
  // The body is a JSON string: how the original tells success and most errors.
  void Message(std::string_view text, int status = 200) { Reply(Json(text), status); }
  // Region lists: no indentation, and the content type that the original has there.
  void ReplyCompact(Json json);
  void Plain(std::string body, int status);
  // 400 {"code":"input","msg":...}: how typed readers refuse a body.
  void InputError(std::string_view text);
  // The text as a JSON string, the HTTP status by the code of `s`: NotFound 404, OutOfRange 410,
  // InvalidArgument 400, Unavailable 503, else `other`.
  void Error(const absl::Status& s, int other = 500);
  void Raw(int status, std::string content_type, std::string body);

  // The body as JSON.  nullopt after an input error (`typed`) or a 400 with Go's decoder's text.
  std::optional<Json> Body(bool typed = true);
  // A {name} part or query value as an id; nullopt after a 400.
  std::optional<uint64_t> Id(const std::string& text, bool typed = false);
  // A callback that sends `text` on success and else the error.
  Callback<absl::Status> Then(std::string text, int other = 500);

 private:
  friend class Api;
  http::Request request_;
  http::Responder responder_;
  std::weak_ptr<HttpCall> self_;
  // Set for what reads the cluster's state: the answer goes when all that it may show is durable.
  Cluster* read_ = nullptr;
};
using CallPtr = std::shared_ptr<HttpCall>;

// Why Go's decoder would refuse the text.
std::string GoJsonError(std::string_view body);
// strconv's error for text that is no number.
std::string GoNumberError(std::string_view function, std::string_view text);
// Whole, not negative, below 2^64; floats that are whole count.
std::optional<uint64_t> AsUint(const Json& value);

// Who answers a route.
enum class Served {
  kHere,     // Every member, from what it knows.
  kLeader,   // The leader; a follower passes the request on.
  kCluster,  // The leader, once the cluster is bootstrapped.
};

// The table of routes.  Handlers run on the HTTP server's thread and must not block.
class Api {
 public:
  using Handler = std::function<void(Api&, const CallPtr&)>;

  Api(const HttpContext& context, http::Router* router) : context_(context), router_(router) {}

  Cluster& cluster() { return *context_.cluster; }
  const HttpContext& context() const { return context_; }
  meta::MetaStore& meta() { return *context_.cluster->host().meta; }

  // `path` below /pd/api/v1/ unless it begins with '/'.
  void Route(std::string_view method, std::string_view path, Served served, Handler handler);
  // Passes the request to the leader, waiting a while for there to be one.
  void Redirect(const CallPtr& call, int attempt = 0);

 private:
  const HttpContext context_;
  http::Router* router_;
};

// Of this member.  InvalidArgument for an unknown level.
absl::Status ChangeLogLevel(Api& api, const std::string& level);

// The routes by subject.
void RegisterMemberRoutes(Api& api);
void RegisterStoreRoutes(Api& api);
void RegisterRegionRoutes(Api& api);
void RegisterRegionActionRoutes(Api& api);
void RegisterStatisticRoutes(Api& api);
void RegisterSchedulerRoutes(Api& api);
void RegisterOperatorRoutes(Api& api);
void RegisterConfigRoutes(Api& api);
void RegisterRuleRoutes(Api& api);
void RegisterAdminRoutes(Api& api);
void RegisterProbeRoutes(Api& api);
void RegisterMaintenanceRoutes(Api& api);
void RegisterResourceManagerRoutes(Api& api);

// How clients are to count resource units, unless that was changed.
extern const char kControllerDefaults[];

}  // namespace tikv::pd
