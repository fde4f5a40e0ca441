// ReadQueue: reads that wait for a read index, and then for the replica to have applied it.
#pragma once

#include <absl/functional/function_ref.h>

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/callback.h"
#include "lib/env/clock.h"
#include "server/port/replicated_engine.h"

namespace tikv::server {

// A read and who waits for it.
struct PendingRead {
  RequestHeader header;
  Callback<ReadResult> done;
};

// Reads of one round share one request for an index.  Raft thread only.
class ReadQueue {
 public:
  // Contexts must not repeat, also not across restarts of this replica or among replicas (the
  // leader serves all): `nonce` is random.
  ReadQueue(uint64_t peer_id, uint64_t nonce) : peer_id_(peer_id), next_(nonce) {}

  void Add(PendingRead read) { fresh_.push_back(std::move(read)); }

  // The context under which reads added since the last call ask for an index; nullopt when there
  // are none.
  std::optional<std::string> StartBatch(MonotonicTime now);
  // Contexts that got no answer since `before`; they are asked for again.
  std::vector<std::string> Overdue(MonotonicTime before, MonotonicTime now);
  void OnIndex(std::string_view context, uint64_t index);
  // Reads whose index is applied.
  std::vector<PendingRead> TakeReady(uint64_t applied);
  // All reads for which `fails` gives an error.
  void FailIf(absl::FunctionRef<RegionError(const RequestHeader&)> fails);

  bool empty() const { return fresh_.empty() && batches_.empty(); }
  size_t size() const;

 private:
  struct Batch {
    std::string context;
    MonotonicTime asked;
    uint64_t index = 0;  // 0: not known yet.
    std::vector<PendingRead> reads;
  };

  uint64_t peer_id_;
  uint64_t next_;
  std::vector<PendingRead> fresh_;
  std::deque<Batch> batches_;
};

}  // namespace tikv::server
