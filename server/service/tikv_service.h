// tikvpb.Tikv: the calls of clients.  Those between stores are registered by raftstore.
#pragma once

#include "lib/base/strong_id.h"
#include "lib/rpc/server.h"
#include "server/port/region_admin.h"
#include "server/port/replicated_engine.h"
#include "server/service/batch_stream.h"

namespace tikv::server {

// Decodes, dispatches, encodes; decides nothing.  Must outlive the server it registers with.
// Calls that it does not register answer UNIMPLEMENTED.
class TikvService {
 public:
  // The ports must outlive the service.
  TikvService(const BatchDependencies& deps, ReplicatedEngine* engine, RegionAdmin* admin)
      : deps_(deps), engine_(engine), admin_(admin) {}

  void Register(rpc::Server* server);

 private:
  template <class Request, class Response>
  void RegisterRaw(rpc::Server* server, std::string_view name, Method method);
  // How a transactional call is refused: an abort in an OK reply, or UNIMPLEMENTED.
  enum class Refusal { kInReply, kStatus };
  template <class Request, class Response>
  void RegisterTxn(rpc::Server* server, std::string_view name, Refusal refusal);
  void RegisterRegionCalls(rpc::Server* server);
  void SplitRegion(const kvrpcpb::SplitRegionRequest& request,
                   rpc::Responder<kvrpcpb::SplitRegionResponse> responder);

  const BatchDependencies deps_;
  ReplicatedEngine* const engine_;
  RegionAdmin* const admin_;
};

}  // namespace tikv::server
