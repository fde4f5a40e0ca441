// A server for interoperability, conformance and attack tests of lib/rpc.  Prints its port, serves
// gRPC and, on the same port, GET /stats; ends when its standard input does.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>

#include "e2e/interop/rpc/server/test_service.h"
#include "lib/env/posix/clock.h"
#include "lib/env/posix/thread_executor.h"
#include "lib/http/server.h"
#include "lib/rpc/server.h"

namespace tikv::interop {
namespace {

// Resident pages of this process, now and at most, in KiB.
void ReadMemory(uint64_t* now_kib, uint64_t* peak_kib) {
  FILE* file = fopen("/proc/self/status", "r");
  char line[256];
  while (file != nullptr && fgets(line, sizeof(line), file) != nullptr) {
    sscanf(line, "VmRSS: %lu", now_kib);
    sscanf(line, "VmHWM: %lu", peak_kib);
  }
  if (file != nullptr) fclose(file);
}

std::string StatsJson(const rpc::ServerStats& s) {
  uint64_t now = 0, peak = 0;
  ReadMemory(&now, &peak);
  std::string out = fmt::format("{{\"rss_kib\":{},\"peak_kib\":{}", now, peak);
  auto add = [&out](const char* name, const rpc::ServerStats::Counter& c) {
    out += fmt::format(",\"{}\":{}", name, c.load());
  };
  add("connections", s.connections), add("streams", s.streams), add("calls", s.calls);
  add("unfinished_bytes", s.unfinished_bytes), add("output_bytes", s.output_bytes);
  add("accepted", s.accepted), add("requests", s.requests);
  add("refused_connections", s.refused_connections), add("evicted_idle", s.evicted_idle);
  add("accept_errors", s.accept_errors), add("unknown_protocol", s.unknown_protocol);
  add("protocol_errors", s.protocol_errors), add("header_limit", s.header_limit);
  add("continuation_limit", s.continuation_limit), add("reset_flood", s.reset_flood);
  add("control_flood", s.control_flood), add("message_limit", s.message_limit);
  add("inflate_limit", s.inflate_limit), add("unknown_encoding", s.unknown_encoding);
  add("unknown_method", s.unknown_method), add("bad_request", s.bad_request);
  add("handshake_timeouts", s.handshake_timeouts), add("stall_timeouts", s.stall_timeouts);
  add("keepalive_timeouts", s.keepalive_timeouts), add("parked", s.parked);
  add("tls_errors", s.tls_errors), add("tls_reloads", s.tls_reloads);
  add("tls_reload_errors", s.tls_reload_errors);
  add("deadline_exceeded", s.deadline_exceeded), add("cancelled", s.cancelled);
  return out + "}\n";
}

int Run(int argc, char** argv) {
  CLI::App app("gRPC test server");
  rpc::ServerOptions options;
  std::string address = "127.0.0.1:0";
  int body_stall_ms = 30'000;
  int max_age_ms = 0;
  bool with_http = true;
  app.add_option("--http", with_http, "serve GET /stats as HTTP/1.1 on the same port");
  app.add_option("--addr", address);
  app.add_option("--loops", options.loops);
  app.add_option("--cert", options.tls.cert_path);
  app.add_option("--key", options.tls.key_path);
  app.add_option("--ca", options.tls.ca_path);
  app.add_option("--max-connections", options.limits.max_connections);
  app.add_option("--max-connections-per-peer", options.limits.max_connections_per_peer);
  app.add_option("--stall-timeout-ms", body_stall_ms);
  app.add_option("--max-age-ms", max_age_ms, "end each connection (GOAWAY) when it is so old");
  app.add_option("--allowed-name", options.tls.allowed_names, "common names of clients");
  CLI11_PARSE(app, argc, argv);
  options.limits.max_age = std::chrono::milliseconds(max_age_ms);
  options.limits.body_stall_timeout = std::chrono::milliseconds(body_stall_ms);
  options.limits.output_stall_timeout = std::chrono::milliseconds(body_stall_ms);

  PosixClock clock;
  ThreadExecutor timers({.name = "timers"}, &clock);
  http::Router router;
  http::ServerOptions http_options;
  http_options.tls = {options.tls.ca_path, options.tls.cert_path, options.tls.key_path,
                      options.tls.allowed_names};
  http::Server http(http_options, &router);
  rpc::Server server(options);
  RegisterTestService(server, &timers);
  router.Handle("GET", "/stats", [&server](http::Request, http::Responder responder) {
    responder.Send(http::Response::Json(200, StatsJson(server.stats())));
  });
  if (with_http)
    server.SetHttpHandler([&http](rpc::HandedOver given) {
      http.Adopt(given.fd, std::move(given.bytes), std::move(given.peer), given.tls);
    });
  absl::StatusOr<int> port = server.Listen(address);
  if (!port.ok()) {
    fprintf(stderr, "%s\n", port.status().ToString().c_str());
    return 1;
  }
  printf("%d\n", *port);
  fflush(stdout);
  char buffer[64];
  while (read(STDIN_FILENO, buffer, sizeof(buffer)) > 0) {
  }
  server.Drain(std::chrono::milliseconds(2'000));
  http.Stop();
  return 0;
}

}  // namespace
}  // namespace tikv::interop

int main(int argc, char** argv) { return tikv::interop::Run(argc, argv); }
