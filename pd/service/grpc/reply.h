// How PD answers: a header with the cluster id, and errors either in it or as gRPC status.
#pragma once

#include <string>
#include <utility>

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {

// Answers one pdpb call, once, from any thread.
template <class Response>
class Reply {
 public:
  Reply(rpc::Responder<Response> responder, uint64_t cluster_id)
      : responder_(std::move(responder)), cluster_id_(cluster_id) {}

  void Send(Response response = {}) {
    response.mutable_header()->set_cluster_id(cluster_id_);
    responder_.Reply(response);
  }
  // OK on the wire, the error in the header.
  void HeaderError(pdpb::ErrorType type, std::string_view text) {
    Response response;
    auto* error = response.mutable_header()->mutable_error();
    error->set_type(type);
    error->set_message(std::string(text));
    Send(std::move(response));
  }
  void Fail(absl::Status status) { responder_.Fail(std::move(status)); }

  // A status of the cluster's: what concerns the whole server (no leader, overload) as gRPC
  // status, what concerns the request as a header error of this type.
  void Error(const absl::Status& status, pdpb::ErrorType type = pdpb::UNKNOWN) {
    const bool server = absl::IsUnavailable(status) || absl::IsDeadlineExceeded(status) ||
                        absl::IsResourceExhausted(status);
    server ? Fail(status) : HeaderError(type, Message(status));
  }
  // Sends success or the error.
  void Finish(const absl::Status& status) { status.ok() ? Send() : Error(status); }

  uint64_t cluster_id() const { return cluster_id_; }

 private:
  rpc::Responder<Response> responder_;
  uint64_t cluster_id_;
};

}  // namespace tikv::pd
