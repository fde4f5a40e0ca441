// v3lockpb.Lock: etcd's mutex recipe, run by the server.
#include "pd/meta/errors.h"
#include "pd/service/etcd/acquire.h"
#include "pd/service/etcd/context.h"
#include "proto/v3lockpb.pb.h"

namespace tikv::pd::etcd {

using namespace v3lockpb;

void RegisterLock(EtcdContext* context, rpc::Server& server) {
  rpc::Unary<LockRequest, LockResponse>(
      server, "/v3lockpb.Lock/Lock",
      [context](const LockRequest& request, const rpc::CallContext& call,
                rpc::Responder<LockResponse> responder) {
        Acquire(context, request.name(), request.lease(), {}, call,
                [context, responder = std::move(responder)](absl::StatusOr<Place> place) mutable {
                  if (!place.ok()) return responder.Fail(place.status());
                  LockResponse response;
                  response.set_key(place->key);
                  context->store->FillHeader(response.mutable_header());
                  responder.Reply(response);
                });
      });
  http::Router none;
  Serve<UnlockRequest, UnlockResponse>(
      server, none, "/v3lockpb.Lock/Unlock", {},
      [context](const UnlockRequest& request, Reply<UnlockResponse> reply) {
        if (request.key().empty()) return std::move(reply)(meta::ErrEmptyKey());
        etcdserverpb::DeleteRangeRequest del;
        del.set_key(request.key());
        Submit<etcdserverpb::DeleteRangeResponse>(
            context, meta::CommandType::kDeleteRange, del,
            [reply =
                 std::move(reply)](absl::StatusOr<etcdserverpb::DeleteRangeResponse> done) mutable {
              if (!done.ok()) return std::move(reply)(done.status());
              UnlockResponse response;
              *response.mutable_header() = done->header();
              std::move(reply)(std::move(response));
            });
      });
}

}  // namespace tikv::pd::etcd
