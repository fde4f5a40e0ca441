// etcdserverpb.Maintenance.
#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/view.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;

int64_t SizeOf(EtcdContext* context) {
  auto size = context->store->engine().Estimate(engine::Cf::kDefault, {}, {});
  return size.ok() ? static_cast<int64_t>(std::max<uint64_t>(size->bytes, 4096)) : 4096;
}

StatusResponse Status(EtcdContext* context) {
  const auto& view = context->store->replica().view();
  StatusResponse response;
  response.set_version(context->version);
  response.set_dbsize(SizeOf(context));
  response.set_dbsizeinuse(response.dbsize());
  response.set_leader(view.leader);
  response.set_raftterm(view.term);
  response.set_raftindex(view.commit);
  response.set_raftappliedindex(view.applied);
  if (view.leader == 0) response.add_errors(std::string(Message(meta::ErrNoLeader())));
  if (view.no_space) response.add_errors(std::string(Message(meta::ErrNoSpace())));
  const auto members = context->store->replica().Members();
  auto self = members.find(context->store->replica().member_id());
  response.set_islearner(self != members.end() && self->second.islearner());
  context->store->FillHeader(response.mutable_header());
  return response;
}

// Of the keys as they are at a revision, all members alike.
absl::StatusOr<uint32_t> HashAt(const engine::Reader& reader, int64_t revision) {
  uint64_t hash = 1;
  RETURN_IF_ERROR(
      meta::View(reader, revision)
          .Scan({std::string(1, '\0'), std::string(1, '\0')}, false, [&](meta::KeyValue kv) {
            const int64_t numbers[] = {kv.create_revision, kv.mod_revision, kv.version, kv.lease};
            hash = XXH3_64bits_withSeed(kv.key.data(), kv.key.size(), hash);
            hash = XXH3_64bits_withSeed(kv.value.data(), kv.value.size(), hash);
            hash = XXH3_64bits_withSeed(numbers, sizeof(numbers), hash);
            return true;
          }));
  const auto folded = static_cast<uint32_t>(hash ^ (hash >> 32));
  return folded == 0 ? 1 : folded;
}

absl::StatusOr<HashKVResponse> HashKv(EtcdContext* context, int64_t wanted) {
  auto state = context->store->machine().TakeSnapshot();
  ASSIGN_OR_RETURN(int64_t revision, state.Resolve(wanted));
  ASSIGN_OR_RETURN(uint32_t hash, HashAt(*state.snapshot, revision));
  HashKVResponse response;
  response.set_hash(hash);
  response.set_compact_revision(state.compact_revision);
  response.mutable_header()->set_revision(state.revision);
  context->store->FillHeader(response.mutable_header());
  return response;
}

void Alarm(EtcdContext* context, const AlarmRequest& request, Reply<AlarmResponse> reply) {
  if (request.action() != AlarmRequest::GET) {
    return Submit<AlarmResponse>(context, meta::CommandType::kAlarm, request, std::move(reply));
  }
  AlarmResponse response;
  for (uint64_t member : context->store->replica().Alarms()) {
    auto* alarm = response.add_alarms();
    alarm->set_memberid(member);
    alarm->set_alarm(NOSPACE);
  }
  context->store->FillHeader(response.mutable_header());
  std::move(reply)(std::move(response));
}

void MoveLeader(EtcdContext* context, uint64_t to, Reply<MoveLeaderResponse> reply) {
  if (context->store->replica().view().leader_term == 0) {
    return std::move(reply)(meta::ErrNotLeader());
  }
  context->store->replica().TransferLeader(
      to, [context, reply = std::move(reply)](absl::Status status) mutable {
        if (!status.ok()) return std::move(reply)(status);
        MoveLeaderResponse response;
        context->store->FillHeader(response.mutable_header());
        std::move(reply)(std::move(response));
      });
}

}  // namespace

void RegisterMaintenance(EtcdContext* context, rpc::Server& server, http::Router& router) {
  Serve<StatusRequest, StatusResponse>(
      server, router, "/etcdserverpb.Maintenance/Status", "/v3/maintenance/status",
      [context](const StatusRequest&, Reply<StatusResponse> reply) {
        std::move(reply)(Status(context));
      });
  Serve<AlarmRequest, AlarmResponse>(
      server, router, "/etcdserverpb.Maintenance/Alarm", "/v3/maintenance/alarm",
      [context](const AlarmRequest& request, Reply<AlarmResponse> reply) {
        Alarm(context, request, std::move(reply));
      });
  // The engine compacts by itself.
  Serve<DefragmentRequest, DefragmentResponse>(
      server, router, "/etcdserverpb.Maintenance/Defragment", "/v3/maintenance/defragment",
      [context](const DefragmentRequest&, Reply<DefragmentResponse> reply) {
        DefragmentResponse response;
        context->store->FillHeader(response.mutable_header());
        std::move(reply)(std::move(response));
      });
  Serve<HashRequest, HashResponse>(
      server, router, "/etcdserverpb.Maintenance/Hash", {},
      [context](const HashRequest&, Reply<HashResponse> reply) {
        context->pool->Post([context, reply = std::move(reply)]() mutable {
          absl::StatusOr<HashKVResponse> kv = HashKv(context, 0);
          if (!kv.ok()) return std::move(reply)(kv.status());
          HashResponse response;
          *response.mutable_header() = kv->header();
          response.set_hash(kv->hash());
          std::move(reply)(std::move(response));
        });
      });
  Serve<HashKVRequest, HashKVResponse>(
      server, router, "/etcdserverpb.Maintenance/HashKV", {},
      [context](const HashKVRequest& request, Reply<HashKVResponse> reply) {
        context->pool->Post(
            [context, revision = request.revision(), reply = std::move(reply)]() mutable {
              std::move(reply)(HashKv(context, revision));
            });
      });
  Serve<MoveLeaderRequest, MoveLeaderResponse>(
      server, router, "/etcdserverpb.Maintenance/MoveLeader", {},
      [context](const MoveLeaderRequest& request, Reply<MoveLeaderResponse> reply) {
        MoveLeader(context, request.targetid(), std::move(reply));
      });
  Serve<DowngradeRequest, DowngradeResponse>(
      server, router, "/etcdserverpb.Maintenance/Downgrade", {},
      [](const DowngradeRequest&, Reply<DowngradeResponse> reply) {
        std::move(reply)(Unimplemented("this store has no older format to go back to"));
      });
  server.RegisterStream(
      "/etcdserverpb.Maintenance/Snapshot",
      [](rpc::ServerStream stream, const rpc::CallContext&) -> std::unique_ptr<rpc::StreamHandler> {
        stream.Finish(
            Unimplemented("this store is not a bbolt file; add a member to have a copy of it"));
        return nullptr;
      });
}

}  // namespace tikv::pd::etcd
