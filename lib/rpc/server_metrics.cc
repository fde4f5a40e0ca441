#include "lib/rpc/server_metrics.h"

#include "lib/rpc/server.h"

namespace tikv::rpc {
namespace {

using Field = ServerStats::Counter ServerStats::*;

struct Named {
  const char* name;
  Field field;
  const char* help;
};

constexpr Named kGauges[] = {
    {"connections", &ServerStats::connections, "Open connections."},
    {"streams", &ServerStats::streams, "Open streams."},
    {"calls", &ServerStats::calls, "Calls whose handler has not finished."},
    {"unfinished_bytes", &ServerStats::unfinished_bytes, "Received, not yet given to a handler."},
    {"output_bytes", &ServerStats::output_bytes, "Queued for clients."},
};
constexpr Named kTotals[] = {
    {"requests_total", &ServerStats::requests, "Calls that began."},
    {"received_bytes_total", &ServerStats::bytes_in, "Bytes received."},
    {"sent_bytes_total", &ServerStats::bytes_out, "Bytes sent."},
};
// What options.h says about each.
constexpr Named kEvents[] = {
    {"accepted", &ServerStats::accepted, nullptr},
    {"accept_errors", &ServerStats::accept_errors, nullptr},
    {"http_handed_over", &ServerStats::http_handed_over, nullptr},
    {"refused_connections", &ServerStats::refused_connections, nullptr},
    {"evicted_idle", &ServerStats::evicted_idle, nullptr},
    {"unknown_protocol", &ServerStats::unknown_protocol, nullptr},
    {"tls_errors", &ServerStats::tls_errors, nullptr},
    {"tls_reloads", &ServerStats::tls_reloads, nullptr},
    {"tls_reload_errors", &ServerStats::tls_reload_errors, nullptr},
    {"protocol_errors", &ServerStats::protocol_errors, nullptr},
    {"header_limit", &ServerStats::header_limit, nullptr},
    {"continuation_limit", &ServerStats::continuation_limit, nullptr},
    {"reset_flood", &ServerStats::reset_flood, nullptr},
    {"control_flood", &ServerStats::control_flood, nullptr},
    {"message_limit", &ServerStats::message_limit, nullptr},
    {"inflate_limit", &ServerStats::inflate_limit, nullptr},
    {"unknown_encoding", &ServerStats::unknown_encoding, nullptr},
    {"decode_errors", &ServerStats::decode_errors, nullptr},
    {"unknown_method", &ServerStats::unknown_method, nullptr},
    {"bad_request", &ServerStats::bad_request, nullptr},
    {"abandoned_limit", &ServerStats::abandoned_limit, nullptr},
    {"output_limit", &ServerStats::output_limit, nullptr},
    {"handshake_timeouts", &ServerStats::handshake_timeouts, nullptr},
    {"stall_timeouts", &ServerStats::stall_timeouts, nullptr},
    {"idle_timeouts", &ServerStats::idle_timeouts, nullptr},
    {"keepalive_timeouts", &ServerStats::keepalive_timeouts, nullptr},
    {"deadline_exceeded", &ServerStats::deadline_exceeded, nullptr},
    {"cancelled", &ServerStats::cancelled, nullptr},
    {"dropped_responders", &ServerStats::dropped_responders, nullptr},
    {"parked", &ServerStats::parked, nullptr},
};
static_assert(std::size(kGauges) + std::size(kTotals) + std::size(kEvents) ==
              sizeof(ServerStats) / sizeof(ServerStats::Counter));

void Collect(const ServerStats& stats, const std::string& prefix, const metrics::Labels& labels,
             metrics::Samples* out) {
  auto value = [&stats](Field field) {
    return static_cast<double>((stats.*field).load(std::memory_order_relaxed));
  };
  for (const Named& n : kGauges) out->AddGauge(prefix + n.name, n.help, labels, value(n.field));
  for (const Named& n : kTotals) out->AddCounter(prefix + n.name, n.help, labels, value(n.field));
  for (const Named& n : kEvents) {
    metrics::Labels typed = labels;
    typed.emplace_back("type", n.name);
    out->AddCounter(prefix + "events_total", "What happened to the gRPC server's connections.",
                    std::move(typed), value(n.field));
  }
}

}  // namespace

ServerMetrics::ServerMetrics(const Server* server, std::string prefix, metrics::Labels labels,
                             metrics::Registry* registry)
    : registry_(registry),
      collector_(registry->AddCollector([server, prefix = std::move(prefix) + "_",
                                         labels = std::move(labels)](metrics::Samples* out) {
        Collect(server->stats(), prefix, labels, out);
      })) {}

ServerMetrics::~ServerMetrics() { registry_->RemoveCollector(collector_); }

}  // namespace tikv::rpc
