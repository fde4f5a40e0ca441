// The C++ client of TiKV's raw API.
//
//   auto client = tikv::client::RawClient::Connect({.pd_endpoints = {"127.0.0.1:2379"}});
//   if (!client.ok()) { ... client.status() ... }
//   (*client)->Put("hello", "world");
//   absl::StatusOr<std::optional<std::string>> value = (*client)->Get("hello");
//
// Keys and values are any bytes.  The client finds the region of each key through PD, remembers it,
// follows leaders, splits and moves, and repeats what failed on the way until the deadline.
//
// Errors: DeadlineExceeded (with the last cause) when time ran out, InvalidArgument when the server
// refuses the request (key too large, wrong API version, bad column family), Unavailable when no PD
// member answers.  A write that ended with DeadlineExceeded may or may not have happened, now or
// later; Put and Delete are safe to repeat.  CompareAndSwap is not: it is sent once it may have
// arrived, and a lost answer is Aborted ("outcome unknown").
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/base/callback.h"

namespace tikv::client {

// The storage mode of the cluster's stores (storage.api-version, storage.enable-ttl).
enum class ApiVersion { kV1, kV1Ttl, kV2 };

// How to reach the cluster, and how long to try.
struct ClientOptions {
  std::vector<std::string> pd_endpoints;  // "host:port" or URLs; any living member will do.
  ApiVersion api_version = ApiVersion::kV1;
  std::chrono::milliseconds connect_timeout{10'000};  // Of Connect.
  std::chrono::milliseconds timeout{10'000};          // Of one call, all retries included.
  // One attempt on one store; after it the client looks for another leader.
  std::chrono::milliseconds attempt_timeout{2'000};
  // Connections to each store; one suffices for most programs.
  int connections_per_store = 1;
  // PEM files; empty for plain connections.
  std::string ca_path, cert_path, key_path;
};

// How one call differs from the client's defaults.
struct RawOptions {
  std::string column_family;             // "", "default", "lock" or "write".
  std::chrono::milliseconds timeout{0};  // 0: the client's.
  std::chrono::seconds ttl{0};           // Of a put; 0: for ever.  Not with kV1.
  bool key_only = false;                 // Of a scan: values are empty.
  // Makes puts and deletes atomic relative to CompareAndSwap; costs a latch on the server.
  bool atomic = false;
};

using KeyValue = std::pair<std::string, std::string>;

// What CompareAndSwap found and did.
struct SwapResult {
  bool swapped = false;
  std::optional<std::string> previous;  // The value before, whether or not it was swapped.
};

// Of all pairs of a range: CRC64 (ECMA) of each key and value, xored; and how much there is.
struct RawChecksum {
  uint64_t crc64_xor = 0;
  uint64_t total_kvs = 0;
  uint64_t total_bytes = 0;
};

// Thread-safe.  Blocking calls must not be made from a callback of the Async ones.
class RawClient {
 public:
  // Asks PD for the cluster; fails when no endpoint answers within connect_timeout.
  static absl::StatusOr<std::unique_ptr<RawClient>> Connect(ClientOptions options);
  // Calls under way end with Cancelled; their callbacks have run when it returns.
  ~RawClient();
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  uint64_t cluster_id() const;

  // nullopt: no such key (an empty value is a value).
  absl::StatusOr<std::optional<std::string>> Get(std::string_view key, const RawOptions& o = {});
  absl::Status Put(std::string_view key, std::string_view value, const RawOptions& o = {});
  absl::Status Delete(std::string_view key, const RawOptions& o = {});

  // Many keys, in parallel over regions.  BatchGet leaves absent keys out and returns the rest in
  // key order.  Batches are atomic per region only.
  absl::StatusOr<std::vector<KeyValue>> BatchGet(const std::vector<std::string>& keys,
                                                 const RawOptions& o = {});
  absl::Status BatchPut(const std::vector<KeyValue>& pairs, const RawOptions& o = {});
  absl::Status BatchDelete(const std::vector<std::string>& keys, const RawOptions& o = {});

  // At most `limit` pairs of [start, end) in order; an empty `end` is the end of the key space.
  absl::StatusOr<std::vector<KeyValue>> Scan(std::string_view start, std::string_view end,
                                             uint32_t limit, const RawOptions& o = {});
  // The same pairs from the last to the first.
  absl::StatusOr<std::vector<KeyValue>> ReverseScan(std::string_view start, std::string_view end,
                                                    uint32_t limit, const RawOptions& o = {});
  // Region by region: on an error a part may be gone.
  absl::Status DeleteRange(std::string_view start, std::string_view end, const RawOptions& o = {});
  absl::StatusOr<RawChecksum> Checksum(std::string_view start, std::string_view end,
                                       const RawOptions& o = {});

  // Sets `key` to `value` if it holds `expected` (nullopt: if it is absent).
  absl::StatusOr<SwapResult> CompareAndSwap(std::string_view key,
                                            std::optional<std::string> expected,
                                            std::string_view value, const RawOptions& o = {});
  // nullopt: no such key; 0 s: lives for ever.
  absl::StatusOr<std::optional<std::chrono::seconds>> GetKeyTtl(std::string_view key,
                                                                const RawOptions& o = {});

  // As Get and Put, without waiting.  `done` runs once, on a thread of the client, which it must
  // not block.  How many run at a time is the caller's to bound.
  void GetAsync(std::string key, RawOptions o,
                Callback<absl::StatusOr<std::optional<std::string>>> done);
  void PutAsync(std::string key, std::string value, RawOptions o, Callback<absl::Status> done);

 private:
  class Impl;
  explicit RawClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace tikv::client
