#include "pd/service/http/api.h"

#include <charconv>
#include <chrono>
#include <cmath>

#include "lib/base/status.h"
#include "lib/env/executor.h"
#include "lib/http/client.h"

namespace tikv::pd {
namespace {

constexpr char kJsonType[] = "application/json; charset=UTF-8";
constexpr char kRedirector[] = "PD-Redirector";
constexpr char kNotBootstrapped[] =
    "[PD:cluster:ErrNotBootstrapped]TiKV cluster not bootstrapped, please start TiKV first";

http::Headers BrowserHeaders(std::string content_type) {
  return {{"Content-Type", std::move(content_type)},
          {"Access-Control-Allow-Origin", "*"},
          {"Access-Control-Allow-Methods", "POST, GET, OPTIONS, PUT, DELETE"},
          {"Access-Control-Allow-Headers", "accept, content-type, authorization"}};
}

}  // namespace

namespace {

// Go prints a float that is whole without a fraction.
void WholeNumbers(Json* json) {
  if (json->is_structured()) {
    for (Json& item : *json) WholeNumbers(&item);
  } else if (json->is_number_float()) {
    const double d = json->get<double>();
    if (std::abs(d) < 9e15 && d == std::floor(d)) *json = static_cast<int64_t>(d);
  }
}

}  // namespace

std::string Dump(Json json, bool indent) {
  WholeNumbers(&json);
  return json.dump(indent ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

void HttpCall::Raw(int status, std::string content_type, std::string body) {
  http::Response r;
  r.status = status;
  r.headers = BrowserHeaders(std::move(content_type));
  r.body = std::move(body);
  if (read_ == nullptr) return responder_.Send(std::move(r));
  read_->WhenDurable([call = self_.lock(), r = std::move(r)](absl::Status s) mutable {
    if (!s.ok()) {
      r.status = 503;
      r.headers = BrowserHeaders("text/plain; charset=utf-8");
      r.body = tikv::Message(s);
    }
    call->responder_.Send(std::move(r));
  });
}

void HttpCall::Reply(Json json, int status) {
  Raw(status, kJsonType, Dump(std::move(json)) + "\n");
}

void HttpCall::ReplyCompact(Json json) {
  Raw(200, "application/octet-stream", Dump(std::move(json), false));
}

void HttpCall::Plain(std::string body, int status) {
  Raw(status, "text/plain; charset=utf-8", std::move(body));
}

void HttpCall::InputError(std::string_view text) {
  Reply({{"code", "input"}, {"msg", text}, {"data", nullptr}}, 400);
}

void HttpCall::Error(const absl::Status& s, int other) {
  int status = other;
  if (absl::IsNotFound(s)) status = 404;
  if (absl::IsOutOfRange(s)) status = 410;
  if (absl::IsInvalidArgument(s)) status = 400;
  if (absl::IsUnavailable(s)) status = 503;
  Message(tikv::Message(s), status);
}

std::string GoJsonError(std::string_view body) {
  const size_t at = body.find_first_not_of(" \t\r\n");
  if (at == body.npos) return "unexpected end of JSON input";
  const bool opens = body[at] == '{' || body[at] == '[' || body[at] == '"';
  if (opens) return "unexpected end of JSON input";
  return fmt::format("invalid character '{}' looking for beginning of value", body[at]);
}

std::string GoNumberError(std::string_view function, std::string_view text) {
  return fmt::format("strconv.{}: parsing \"{}\": invalid syntax", function, text.substr(0, 128));
}

std::optional<uint64_t> AsUint(const Json& value) {
  if (value.is_number_unsigned()) return value.get<uint64_t>();
  if (!value.is_number_float()) return std::nullopt;
  const double d = value.get<double>();
  if (!(d >= 0 && d < 9e15) || d != std::floor(d)) return std::nullopt;
  return static_cast<uint64_t>(d);
}

std::optional<Json> HttpCall::Body(bool typed) {
  // Copying and writing recurse, so that a body of brackets only would exhaust the stack.
  constexpr int kMaxDepth = 64;
  bool deep = false;
  auto shallow = [&deep](int depth, Json::parse_event_t, Json&) {
    deep = deep || depth > kMaxDepth;
    return !deep;
  };
  Json json = Json::parse(request_.body, shallow, false);
  if (!json.is_discarded() && !deep) return json;
  const std::string why = deep ? "exceeded max depth" : GoJsonError(request_.body);
  typed ? InputError(why) : Message(why, 400);
  return std::nullopt;
}

std::optional<uint64_t> HttpCall::Id(const std::string& text, bool typed) {
  uint64_t id = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), id);
  if (error == std::errc() && end == text.data() + text.size() && !text.empty()) return id;
  const std::string why = GoNumberError("ParseUint", text);
  typed ? InputError(why) : Message(why, 400);
  return std::nullopt;
}

Callback<absl::Status> HttpCall::Then(std::string text, int other) {
  return [call = self_.lock(), text = std::move(text), other](absl::Status s) {
    s.ok() ? call->Message(text) : call->Error(s, other);
  };
}

void Api::Route(std::string_view method, std::string_view path, Served served, Handler handler) {
  const std::string full =
      path.starts_with('/') ? std::string(path) : fmt::format("/pd/api/v1/{}", path);
  router_->Handle(method, full,
                  [this, served, handler = std::move(handler)](http::Request request,
                                                               http::Responder responder) {
                    auto call =
                        std::make_shared<HttpCall>(std::move(request), std::move(responder));
                    call->self_ = call;
                    if (served != Served::kHere && !cluster().serving()) return Redirect(call);
                    if (served == Served::kCluster && !cluster().bootstrapped()) {
                      return call->Message(kNotBootstrapped, 500);
                    }
                    // What changes the state is answered when the change is durable.
                    const bool reads = served != Served::kHere && call->request().method == "GET";
                    call->read_ = reads ? &cluster() : nullptr;
                    handler(*this, call);
                  });
}

void Api::Redirect(const CallPtr& call, int attempt) {
  // Long enough for an election, short enough for the caller's patience.
  constexpr int kAttempts = 30;
  constexpr std::chrono::milliseconds kPause{100};
  if (call->request().Header(kRedirector)) {
    return call->Plain("[PD:apiutil:ErrRedirect]redirect failed, the request has been redirected",
                       500);
  }
  auto leader = meta().Leader();
  const bool elsewhere = leader && leader->id != meta().Self().id && !leader->client_urls.empty();
  if (!elsewhere) {
    if (attempt >= kAttempts) {
      const std::string why = cluster().trouble();
      return call->Plain(why.empty() ? "no leader" : fmt::format("no leader: {}", why), 503);
    }
    cluster().host().executor->PostAfter(kPause, [this, call, attempt] {
      if (!cluster().serving()) return Redirect(call, attempt + 1);
      // Leads itself by now: from the start, as if it had just come in.
      router_->Route(std::move(call->request_), std::move(call->responder_));
    });
    return;
  }
  http::ClientRequest out;
  out.method = call->request().method;
  out.url = leader->client_urls.front() + call->request().target;
  out.body = call->request().body;
  out.timeout = std::chrono::seconds(30);
  for (const auto& [name, value] : call->request().headers) {
    const bool own = strcasecmp(name.c_str(), "host") == 0 ||
                     strcasecmp(name.c_str(), "connection") == 0 ||
                     strcasecmp(name.c_str(), "content-length") == 0 ||
                     strcasecmp(name.c_str(), "transfer-encoding") == 0;
    if (!own) out.headers.emplace_back(name, value);
  }
  out.headers.emplace_back(kRedirector, meta().Self().name);
  context_.client->FetchAsync(std::move(out), [call](absl::StatusOr<http::Response> r) {
    if (!r.ok()) return call->Plain(std::string(Message(r.status())), 502);
    call->Raw(r->status,
              std::string(http::FindHeader(r->headers, "Content-Type").value_or(kJsonType)),
              std::move(r->body));
  });
}

}  // namespace tikv::pd
