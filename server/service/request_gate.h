// The checks that every request passes before storage sees it, in this order: cluster id, API
// version, shape of the keys, deadline.
#pragma once

#include <absl/status/status.h>

#include <initializer_list>
#include <string_view>

#include "lib/base/strong_id.h"
#include "lib/env/clock.h"
#include "proto/kvrpcpb.pb.h"
#include "server/port/request_header.h"
#include "server/storage/raw/raw_codec.h"
#include "server/storage/raw/raw_error.h"

namespace tikv::server {

// Stateless; thread-safe.  `clock` must outlive it.
class RequestGate {
 public:
  RequestGate(ClusterId cluster, ApiVersion storage, Clock* clock)
      : cluster_(cluster), storage_(storage), clock_(clock) {}

  // InvalidArgument for another cluster's request; it fails the call (and a batch's whole stream),
  // because nothing on this connection can be right.  0 is not checked.  The text must never hold
  // "mismatch cluster id": client-go ends its process on it.
  absl::Status CheckCluster(const kvrpcpb::Context& context) const;

  // For raw requests.  V1TTL stores are addressed as V1; V2 keys begin with 'r' and a keyspace.
  RawError CheckRaw(std::string_view command, const kvrpcpb::Context& context) const;
  RawError CheckRawKey(std::string_view command, std::string_view key) const;
  // Both ends of a range; in V2 neither may be open, and the end may be the first key after 'r'.
  RawError CheckRawRange(std::string_view command, std::string_view start,
                         std::string_view end) const;
  // For transactional requests.
  RawError CheckTxn(std::string_view command, const kvrpcpb::Context& context) const;

  RequestHeader Header(const kvrpcpb::Context& context) const;

  ApiVersion storage_version() const { return storage_; }

 private:
  const ClusterId cluster_;
  const ApiVersion storage_;
  Clock* const clock_;
};

}  // namespace tikv::server
