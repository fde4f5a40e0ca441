#include "server/service/status_service.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "server/service/symbols.h"

namespace tikv::server {
namespace {

using http::Request;
using http::Responder;
using http::Response;
using nlohmann::json;

int HttpCode(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      return 400;
    case absl::StatusCode::kNotFound:
      return 404;
    case absl::StatusCode::kUnavailable:
      return 503;
    case absl::StatusCode::kUnimplemented:
      return 501;
    default:
      return 500;
  }
}

Response FromStatus(const absl::Status& status) {
  if (status.ok()) return Response::Text(200, "");
  return Response::Text(HttpCode(status), std::string(Message(status)) + "\n");
}

std::optional<uint64_t> ParseNumber(std::string_view text) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

uint64_t NumberOr(std::optional<std::string_view> text, uint64_t fallback) {
  return text.has_value() ? ParseNumber(*text).value_or(fallback) : fallback;
}

json PeerJson(const metapb::Peer& peer) {
  return {{"id", peer.id()},
          {"store_id", peer.store_id()},
          {"role", metapb::PeerRole_Name(peer.role())}};
}

json RegionJson(const RegionDetails& details) {
  const metapb::Region& region = details.region_local_state.region();
  json peers = json::array();
  for (const metapb::Peer& peer : region.peers()) peers.push_back(PeerJson(peer));
  json out = {{"id", region.id()},
              {"start_key", Hex(region.start_key())},
              {"end_key", Hex(region.end_key())},
              {"epoch",
               {{"conf_ver", region.region_epoch().conf_ver()},
                {"version", region.region_epoch().version()}}},
              {"peers", std::move(peers)},
              {"is_leader", details.is_leader},
              {"raft_status",
               {{"term", details.raft_local_state.hard_state().term()},
                {"commit", details.raft_local_state.hard_state().commit()},
                {"last_index", details.raft_local_state.last_index()}}},
              {"raft_apply", {{"applied_index", details.raft_apply_state.applied_index()}}}};
  if (details.leader.has_value()) out["leader"] = PeerJson(*details.leader);
  return out;
}

}  // namespace

void StatusService::Register(http::Router* router) {
  RegisterState(router);
  RegisterConfig(router);
  RegisterProfiles(router);
}

void StatusService::RegisterState(http::Router* router) {
  router->Handle("GET", "/status",
                 [](Request, Responder responder) { responder.Send(Response::Text(200, "")); });
  router->Handle("GET", "/ready", [this](Request request, Responder responder) {
    responder.Send(Ready(request.Query("verbose").has_value()));
  });
  router->Handle("GET", "/engine_type", [](Request, Responder responder) {
    responder.Send(Response::Text(200, "raft-kv"));
  });
  router->Handle("GET", "/metrics", [this](Request, Responder responder) {
    Response response = Response::Text(200, deps_.metrics->Text());
    response.headers = {{"Content-Type", "text/plain; version=0.0.4; charset=utf-8"}};
    responder.Send(std::move(response));
  });
  // No request belongs to a resource group here.
  router->Handle("GET", "/resource_groups",
                 [](Request, Responder responder) { responder.Send(Response::Json(200, "[]")); });
  router->Handle("GET", "/async_tasks",
                 [](Request, Responder responder) { responder.Send(Response::Text(200, "")); });
  router->Handle("GET", "/region/{id}", [this](Request request, Responder responder) {
    Region(request, std::move(responder));
  });
  router->Handle("PUT", "/log-level", [this](Request request, Responder responder) {
    responder.Send(SetLogLevel(request));
  });
}

void StatusService::RegisterConfig(http::Router* router) {
  router->Handle("GET", "/config", [this](Request, Responder responder) {
    responder.Send(Response::Json(200, deps_.config->Json()));
  });
  router->Handle("POST", "/config", [this](Request request, Responder responder) {
    const bool persist = request.Query("persist").value_or("true") != "false";
    // The codes and the beginnings of the texts are the original's.
    if (!json::accept(request.body)) {
      return responder.Send(Response::Text(500, "failed to decode, error: not JSON\n"));
    }
    const absl::Status status = deps_.config->Change(request.body, persist);
    if (status.ok()) return responder.Send(Response::Text(200, ""));
    responder.Send(
        Response::Text(500, fmt::format("failed to update, error: {}\n", Message(status))));
  });
  router->Handle("PUT", "/config/reload", [this](Request, Responder responder) {
    responder.Send(FromStatus(deps_.config->Reload()));
  });
}

void StatusService::RegisterProfiles(http::Router* router) {
  router->Handle("GET", "/debug/pprof/profile", [this](Request request, Responder responder) {
    const int seconds =
        static_cast<int>(std::clamp<uint64_t>(NumberOr(request.Query("seconds"), 10), 1, 60));
    const int hertz =
        static_cast<int>(std::clamp<uint64_t>(NumberOr(request.Query("frequency"), 99), 1, 1000));
    deps_.cpu_profile(
        seconds, hertz,
        [responder = std::move(responder)](absl::StatusOr<std::string> profile) mutable {
          if (absl::IsUnavailable(profile.status())) {  // Another one is being taken.
            return responder.Send(
                Response::Text(409, std::string(Message(profile.status())) + "\n"));
          }
          if (!profile.ok()) return responder.Send(FromStatus(profile.status()));
          Response response = Response::Text(200, *std::move(profile));
          response.headers = {{"Content-Type", "application/octet-stream"}};
          responder.Send(std::move(response));
        });
  });
  router->Handle("GET", "/debug/pprof/heap", [this](Request, Responder responder) {
    absl::StatusOr<std::string> profile = deps_.heap_profile();
    if (!profile.ok()) return responder.Send(FromStatus(profile.status()));
    responder.Send(Response::Text(200, *std::move(profile)));
  });
  router->Handle("GET", "/debug/pprof/cmdline", [this](Request, Responder responder) {
    responder.Send(Response::Text(200, deps_.command_line));
  });
  // pprof asks whether there are names, then for them.
  router->Handle("GET", "/debug/pprof/symbol", [](Request, Responder responder) {
    responder.Send(Response::Text(200, "num_symbols: 1\n"));
  });
  router->Handle("POST", "/debug/pprof/symbol", [this](Request request, Responder responder) {
    auto shared = std::make_shared<Responder>(std::move(responder));
    const bool accepted =
        deps_.background->TryPost([shared, addresses = std::move(request.body)]() mutable {
          shared->Send(Response::Text(200, NameAddresses(addresses, FunctionName)));
        });
    if (!accepted) shared->Send(Response::Text(503, "too much work in the background\n"));
  });
  for (const char* gone : {"heap_list", "heap_activate", "heap_deactivate"}) {
    router->Handle("GET", fmt::format("/debug/pprof/{}", gone), [](Request, Responder responder) {
      responder.Send(Response::Text(410, "heap profiles need no activation: GET heap\n"));
    });
  }
}

void StatusService::Region(const Request& request, Responder responder) {
  const std::optional<uint64_t> id = ParseNumber(request.Param("id"));
  if (!id.has_value()) return responder.Send(Response::Text(400, "a region id is a number\n"));
  deps_.admin->DescribeRegion(RegionId(*id), [responder = std::move(responder)](
                                                 absl::StatusOr<RegionDetails> region) mutable {
    if (!region.ok()) return responder.Send(FromStatus(region.status()));
    responder.Send(Response::Json(200, RegionJson(*region).dump()));
  });
}

Response StatusService::Ready(bool verbose) const {
  const bool pd = deps_.connected_to_pd();
  const bool caught_up = deps_.serving();
  const int code = pd && caught_up ? 200 : 500;
  if (!verbose) return Response::Text(code, "");
  return Response::Json(code,
                        json{{"connected_to_pd", pd}, {"raft_peers_caught_up", caught_up}}.dump());
}

Response StatusService::SetLogLevel(const Request& request) {
  const json body = json::parse(request.body, nullptr, /*allow_exceptions=*/false);
  const char* key = body.is_object() && body.contains("log-level") ? "log-level" : "log_level";
  if (!body.is_object() || !body.contains(key) || !body[key].is_string()) {
    return Response::Text(400, "the body must be {\"log-level\": \"info\"}\n");
  }
  const std::string name = body[key].get<std::string>();
  const json change = {{"log.level", name}};
  return FromStatus(deps_.config->Change(change.dump(), /*persist=*/false));
}

}  // namespace tikv::server
