// What a server may be told, and what it counts.
#pragma once

#include <absl/status/status.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace tikv::rpc {

// PEM files; empty paths mean plain text.  With a CA file, peers must present a certificate that
// it signed and, when `allowed_names` is not empty, whose common name is in the list.
struct TlsFiles {
  std::string ca_path;
  std::string cert_path;
  std::string key_path;
  std::vector<std::string> allowed_names;

  bool enabled() const { return !cert_path.empty(); }
};

// Bounds on what peers can make the server hold or do.  Each one that strikes is counted in
// ServerStats.
struct ServerLimits {
  uint32_t max_concurrent_streams = 1024;
  uint32_t stream_window_bytes = 2 << 20;
  uint32_t connection_window_bytes = 4 << 20;
  size_t max_header_list_bytes = 16 << 10;
  size_t max_header_count = 128;
  size_t max_continuation_frames = 8;

  // A message, after decompression.
  size_t max_message_bytes = size_t{512} << 20;
  // Compressed messages may not inflate beyond this ratio once past 4 MiB.
  size_t max_inflate_ratio = 64;
  // Received bytes that handlers have not been given yet; a single message may always complete
  // alone, others wait for credit.
  size_t max_unfinished_bytes_per_connection = size_t{128} << 20;
  size_t max_unfinished_bytes = size_t{1} << 30;
  // Output queued on one connection above which its requests are parked, and on one stream above
  // which the stream is cut (its handler ignores pending_bytes()).
  size_t max_output_bytes_per_connection = size_t{8} << 20;
  size_t max_output_bytes_per_stream = size_t{512} << 20;

  size_t max_connections = 16384;
  size_t max_connections_per_peer = 4096;

  // Resets by the peer: bucket of `burst` refilled at `per_second`.
  uint64_t reset_burst = 10'000;
  uint64_t resets_per_second = 2'000;
  // SETTINGS, PING, PRIORITY, empty DATA and window updates of no use.
  uint64_t control_burst = 10'000;
  uint64_t controls_per_second = 1'000;
  // Calls whose stream is gone while their handler still works, over all connections.
  size_t max_abandoned_calls = 100'000;

  std::chrono::milliseconds handshake_timeout{5'000};      // Preface, TLS, first complete headers.
  std::chrono::milliseconds body_stall_timeout{30'000};    // A message began and does not go on.
  std::chrono::milliseconds output_stall_timeout{30'000};  // The peer takes nothing of our output.
  std::chrono::milliseconds idle_timeout{0};               // Without streams; 0: for ever.
  std::chrono::milliseconds max_age{0};                    // 0: for ever.
};

// What a server is told once, at its making.
struct ServerOptions {
  int loops = 2;
  std::string thread_name = "grpc-server";  // Loops are called <thread_name>-<n>.
  TlsFiles tls;
  // Told, on a loop, when replaced TLS files were taken up, or why not (the old ones stay).
  std::function<void(const absl::Status&)> on_tls_reload;
  // Messages of at least this size are compressed for clients that accept it (gzip).
  size_t compress_from_bytes = SIZE_MAX;
  ServerLimits limits;

  std::chrono::milliseconds keepalive_interval{10'000};
  std::chrono::milliseconds keepalive_timeout{3'000};

  // A loop that had work polls this long before it sleeps; an idle one sleeps at once.
  std::chrono::microseconds spin{30};
};

// Monotonic counters and gauges of one server; read by whoever exports metrics.
struct ServerStats {
  using Counter = std::atomic<uint64_t>;

  Counter connections{0};       // Gauge.
  Counter streams{0};           // Gauge: open streams.
  Counter calls{0};             // Gauge: calls whose handler has not finished.
  Counter unfinished_bytes{0};  // Gauge: received, not yet handed to a handler.
  Counter output_bytes{0};      // Gauge: queued for peers.

  Counter accepted{0};
  Counter accept_errors{0};
  Counter requests{0};
  Counter bytes_in{0};
  Counter bytes_out{0};
  Counter http_handed_over{0};

  Counter refused_connections{0};  // Over a connection limit.
  Counter evicted_idle{0};         // Oldest idle closed to make room.
  Counter unknown_protocol{0};
  Counter tls_errors{0};
  Counter tls_reloads{0};
  Counter tls_reload_errors{0};  // Replaced files that cannot be used.
  Counter protocol_errors{0};
  Counter header_limit{0};
  Counter continuation_limit{0};
  Counter reset_flood{0};
  Counter control_flood{0};
  Counter message_limit{0};
  Counter inflate_limit{0};
  Counter unknown_encoding{0};
  Counter decode_errors{0};
  Counter unknown_method{0};
  Counter bad_request{0};  // 405, 415 and other malformed requests.
  Counter abandoned_limit{0};
  Counter output_limit{0};
  Counter handshake_timeouts{0};
  Counter stall_timeouts{0};
  Counter idle_timeouts{0};
  Counter keepalive_timeouts{0};
  Counter deadline_exceeded{0};
  Counter cancelled{0};
  Counter dropped_responders{0};
  Counter parked{0};  // Requests that waited because the peer does not read.
};

}  // namespace tikv::rpc
