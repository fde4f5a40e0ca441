#include "server/node/rpc_metrics.h"

#include "lib/rpc/server.h"

namespace tikv::server {
namespace {

using Field = rpc::ServerStats::Counter rpc::ServerStats::*;
struct Named {
  const char* name;
  Field field;
};

constexpr Named kGauges[] = {
    {"connections", &rpc::ServerStats::connections},
    {"streams", &rpc::ServerStats::streams},
    {"calls", &rpc::ServerStats::calls},
    {"unfinished_bytes", &rpc::ServerStats::unfinished_bytes},
    {"output_bytes", &rpc::ServerStats::output_bytes},
};

constexpr Named kTraffic[] = {
    {"accepted", &rpc::ServerStats::accepted},
    {"requests", &rpc::ServerStats::requests},
    {"bytes_in", &rpc::ServerStats::bytes_in},
    {"bytes_out", &rpc::ServerStats::bytes_out},
    {"parked", &rpc::ServerStats::parked},
    {"cancelled", &rpc::ServerStats::cancelled},
    {"deadline_exceeded", &rpc::ServerStats::deadline_exceeded},
    {"tls_reloads", &rpc::ServerStats::tls_reloads},
};

// What a limit or a bad peer made the server refuse.
constexpr Named kRefusals[] = {
    {"accept_errors", &rpc::ServerStats::accept_errors},
    {"refused_connections", &rpc::ServerStats::refused_connections},
    {"evicted_idle", &rpc::ServerStats::evicted_idle},
    {"unknown_protocol", &rpc::ServerStats::unknown_protocol},
    {"tls_errors", &rpc::ServerStats::tls_errors},
    {"tls_reload_errors", &rpc::ServerStats::tls_reload_errors},
    {"protocol_errors", &rpc::ServerStats::protocol_errors},
    {"header_limit", &rpc::ServerStats::header_limit},
    {"continuation_limit", &rpc::ServerStats::continuation_limit},
    {"reset_flood", &rpc::ServerStats::reset_flood},
    {"control_flood", &rpc::ServerStats::control_flood},
    {"message_limit", &rpc::ServerStats::message_limit},
    {"inflate_limit", &rpc::ServerStats::inflate_limit},
    {"unknown_encoding", &rpc::ServerStats::unknown_encoding},
    {"decode_errors", &rpc::ServerStats::decode_errors},
    {"unknown_method", &rpc::ServerStats::unknown_method},
    {"bad_request", &rpc::ServerStats::bad_request},
    {"abandoned_limit", &rpc::ServerStats::abandoned_limit},
    {"output_limit", &rpc::ServerStats::output_limit},
    {"handshake_timeouts", &rpc::ServerStats::handshake_timeouts},
    {"stall_timeouts", &rpc::ServerStats::stall_timeouts},
    {"idle_timeouts", &rpc::ServerStats::idle_timeouts},
    {"keepalive_timeouts", &rpc::ServerStats::keepalive_timeouts},
    {"dropped_responders", &rpc::ServerStats::dropped_responders},
};

double Value(const rpc::ServerStats& stats, Field field) {
  return static_cast<double>((stats.*field).load(std::memory_order_relaxed));
}

void Collect(const rpc::ServerStats& stats, metrics::Samples* samples) {
  for (const Named& gauge : kGauges) {
    samples->AddGauge("tikv_grpc_server_state", "What the gRPC server holds.",
                      {{"type", gauge.name}}, Value(stats, gauge.field));
  }
  for (const Named& counter : kTraffic) {
    samples->AddCounter("tikv_grpc_server_traffic_total", "What went through the gRPC server.",
                        {{"type", counter.name}}, Value(stats, counter.field));
  }
  for (const Named& counter : kRefusals) {
    samples->AddCounter("tikv_grpc_server_refused_total",
                        "What the gRPC server's limits and checks refused.",
                        {{"reason", counter.name}}, Value(stats, counter.field));
  }
}

}  // namespace

RpcMetrics::RpcMetrics(const rpc::Server* server, metrics::Registry* registry)
    : registry_(registry), id_(registry->AddCollector([server](metrics::Samples* samples) {
        Collect(server->stats(), samples);
      })) {}

RpcMetrics::~RpcMetrics() { registry_->RemoveCollector(id_); }

}  // namespace tikv::server
