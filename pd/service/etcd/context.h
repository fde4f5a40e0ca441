// What the etcd services share.
#pragma once

#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>

#include "lib/base/callback.h"
#include "lib/env/executor.h"
#include "lib/env/random.h"
#include "lib/http/router.h"
#include "lib/rpc/typed.h"
#include "pd/meta/replicated_store.h"

namespace tikv::pd::etcd {

// Thread-safe.  Everything outlives the servers.
struct EtcdContext {
  meta::ReplicatedStore* store = nullptr;
  Executor* strand = nullptr;  // The replica's, on which nothing may read.
  TaskRunner* pool = nullptr;
  std::string version;  // Of etcd, as reported to clients: "3.5.15".
  std::mutex random_mutex;
  std::unique_ptr<Random> random;

  uint64_t RandomId() {
    std::lock_guard lock(random_mutex);
    return random->Next() & 0x7fffffffffffffff;
  }
};

template <class Response>
using Reply = Callback<absl::StatusOr<Response>>;

// One unary method, on gRPC and on the JSON gateway.
template <class Request, class Response>
using Method = std::function<void(const Request& request, Reply<Response> reply)>;

absl::StatusOr<std::string> MessageToJson(const google::protobuf::Message& message);
absl::Status JsonToMessage(const std::string& json, google::protobuf::Message* message);
// The gateway's body for an error, and its HTTP status.
http::Response JsonError(const absl::Status& status);

// Registers a method; `http_path` may be empty.
template <class Request, class Response>
void Serve(rpc::Server& server, http::Router& router, const std::string& grpc_path,
           const std::string& http_path, Method<Request, Response> method) {
  rpc::Unary<Request, Response>(server, grpc_path,
                                [method](const Request& request, const rpc::CallContext&,
                                         rpc::Responder<Response> responder) {
                                  method(request, [responder = std::move(responder)](
                                                      absl::StatusOr<Response> response) mutable {
                                    responder.Finish(response);
                                  });
                                });
  if (http_path.empty()) return;
  router.Handle("POST", http_path, [method](http::Request request, http::Responder responder) {
    Request message;
    if (absl::Status bad = JsonToMessage(request.body, &message); !bad.ok()) {
      return responder.Send(JsonError(bad));
    }
    method(message, [responder = std::make_shared<http::Responder>(std::move(responder))](
                        absl::StatusOr<Response> response) {
      absl::StatusOr<std::string> json =
          response.ok() ? MessageToJson(*response) : response.status();
      responder->Send(json.ok() ? http::Response::Json(200, *json) : JsonError(json.status()));
    });
  });
}

// Runs `read` once reads here are up to date: on the caller's thread when that is so already, else
// on the pool.  `serializable`: at once.
void ReadWhenReady(EtcdContext* context, bool serializable, Callback<absl::Status> read);

// A change through the log; the response of this type, with its header filled in.
template <class Response>
void Submit(EtcdContext* context, meta::CommandType type,
            const google::protobuf::MessageLite& request, Reply<Response> reply) {
  context->store->replica().Submit(
      type, request, 0,
      [context, reply = std::move(reply)](absl::StatusOr<meta::Response> response) mutable {
        if (!response.ok()) return std::move(reply)(response.status());
        Response typed = std::get<Response>(*std::move(response));
        context->store->FillHeader(typed.mutable_header());
        std::move(reply)(std::move(typed));
      });
}

// One file each.
void RegisterKv(EtcdContext* context, rpc::Server& server, http::Router& router);
void RegisterWatch(EtcdContext* context, rpc::Server& server, Executor* watch_strand);
void RegisterLease(EtcdContext* context, rpc::Server& server, http::Router& router);
void RegisterCluster(EtcdContext* context, rpc::Server& server, http::Router& router);
void RegisterMaintenance(EtcdContext* context, rpc::Server& server, http::Router& router);
void RegisterAuth(EtcdContext* context, rpc::Server& server, http::Router& router);
void RegisterElection(EtcdContext* context, rpc::Server& server);
void RegisterLock(EtcdContext* context, rpc::Server& server);

}  // namespace tikv::pd::etcd
