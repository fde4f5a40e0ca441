#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/grpc/other_services.h"
#include "pd/service/grpc/pd_service.h"
#include "proto/meta_storagepb.pb.h"

namespace tikv::pd {
namespace {

namespace pb = meta_storagepb;

constexpr char kPath[] = "/meta_storagepb.MetaStorage/";

void Fill(const meta::KeyValue& kv, pb::KeyValue* out) {
  out->set_key(kv.key);
  out->set_value(kv.value);
  out->set_create_revision(kv.create_revision);
  out->set_mod_revision(kv.mod_revision);
  out->set_version(kv.version);
  out->set_lease(kv.lease);
}

void FillHeader(uint64_t cluster_id, int64_t revision, pb::ResponseHeader* out) {
  out->set_cluster_id(cluster_id);
  out->set_revision(revision);
}

meta::KeyRange RangeOf(const std::string& key, const std::string& end) { return {key, end}; }

// The Go client looks for services here before it knows the cluster, with id 0, and waits five
// seconds when it is refused.
absl::Status CheckCluster(const Cluster& cluster, uint64_t id) {
  return id == 0 ? absl::OkStatus() : CheckClusterId(cluster.cluster_id(), id);
}

// Sends the changes of a range as they happen.
class WatchStream : public rpc::StreamHandler {
 public:
  WatchStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    pb::WatchRequest request;
    absl::Status s = rpc::ParseMessage(bytes, "/meta_storagepb.MetaStorage/Watch", &request);
    if (s.ok()) s = CheckCluster(*cluster_, request.header().cluster_id());
    if (!s.ok()) return stream_.Finish(s);
    meta::WatchOptions options;
    options.range = RangeOf(request.key(), request.range_end());
    options.start_revision = request.start_revision();
    options.prev_kv = request.prev_kv();
    const uint64_t id = cluster_->cluster_id();
    watch_ = cluster_->host().meta->Watch(
        std::move(options),
        [stream = stream_, id](meta::WatchBatch batch) { Send(stream, id, batch); });
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override { watch_.reset(); }

 private:
  static void Send(const rpc::ServerStream& stream, uint64_t id, const meta::WatchBatch& batch) {
    pb::WatchResponse r;
    FillHeader(id, batch.revision, r.mutable_header());
    if (batch.compact_revision != 0) {
      r.set_compact_revision(batch.compact_revision);
      r.mutable_header()->mutable_error()->set_type(pb::DATA_COMPACTED);
      r.mutable_header()->mutable_error()->set_message(
          "required watch revision is smaller than current compact/min revision");
    }
    for (const meta::Event& e : batch.events) {
      pb::Event* out = r.add_events();
      out->set_type(e.is_delete ? pb::Event::DELETE : pb::Event::PUT);
      Fill(e.kv, out->mutable_kv());
      if (e.has_prev) Fill(e.prev, out->mutable_prev_kv());
    }
    // Whoever does not read is cut off and watches again from where it was.
    constexpr size_t kMaxPendingBytes = 64 << 20;
    if (stream.pending_bytes() > kMaxPendingBytes) {
      return stream.Finish(ResourceExhausted("the watcher does not keep up"));
    }
    stream.SendFramed(rpc::SerializeFramed(r));
    if (batch.compact_revision != 0) stream.Finish(absl::OkStatus());
  }

  Cluster* cluster_;
  rpc::ServerStream stream_;
  std::unique_ptr<meta::WatchHandle> watch_;
};

// Reads the range, then makes the change: the reply shows what was there before.
template <class Response>
void ReadThenCommit(
    Cluster* cluster, meta::KeyRange range, meta::Txn txn, rpc::Responder<Response> responder,
    std::function<void(const meta::RangeResult&, const meta::TxnResult&, Response*)> fill) {
  meta::MetaStore* store = cluster->host().meta;
  auto commit = [store, txn = std::move(txn), responder = std::move(responder),
                 fill = std::move(fill)](absl::StatusOr<meta::RangeResult> before) mutable {
    if (!before.ok()) return responder.Fail(before.status());
    store->Commit(std::move(txn),
                  [before = *std::move(before), responder = std::move(responder),
                   fill = std::move(fill)](absl::StatusOr<meta::TxnResult> result) mutable {
                    if (!result.ok()) return responder.Fail(result.status());
                    Response r;
                    fill(before, *result, &r);
                    responder.Reply(r);
                  });
  };
  store->Range(std::move(range), {}, std::move(commit));
}

void Get(Cluster* cluster, const pb::GetRequest& request,
         rpc::Responder<pb::GetResponse> responder) {
  meta::RangeOptions options;
  options.revision = request.revision();
  options.limit = request.limit();
  cluster->host().meta->Range(RangeOf(request.key(), request.range_end()), options,
                              [id = cluster->cluster_id(), responder = std::move(responder)](
                                  absl::StatusOr<meta::RangeResult> result) mutable {
                                if (!result.ok()) return responder.Fail(result.status());
                                pb::GetResponse r;
                                FillHeader(id, result->revision, r.mutable_header());
                                r.set_count(result->count);
                                r.set_more(result->more);
                                for (const auto& kv : result->kvs) Fill(kv, r.add_kvs());
                                responder.Reply(r);
                              });
}

void Put(Cluster* cluster, const pb::PutRequest& request,
         rpc::Responder<pb::PutResponse> responder) {
  meta::Txn txn;
  txn.then = {meta::Op::Put(request.key(), request.value(), request.lease())};
  ReadThenCommit<pb::PutResponse>(
      cluster, meta::KeyRange::Single(request.key()), std::move(txn), std::move(responder),
      [id = cluster->cluster_id(), prev = request.prev_kv()](
          const meta::RangeResult& before, const meta::TxnResult& result, pb::PutResponse* r) {
        FillHeader(id, result.revision, r->mutable_header());
        if (prev && !before.kvs.empty()) Fill(before.kvs.front(), r->mutable_prev_kv());
      });
}

void Delete(Cluster* cluster, const pb::DeleteRequest& request,
            rpc::Responder<pb::DeleteResponse> responder) {
  meta::Txn txn;
  txn.then = {meta::Op::DeleteRange(RangeOf(request.key(), request.range_end()))};
  ReadThenCommit<pb::DeleteResponse>(
      cluster, RangeOf(request.key(), request.range_end()), std::move(txn), std::move(responder),
      [id = cluster->cluster_id(), prev = request.prev_kv()](
          const meta::RangeResult& before, const meta::TxnResult& result, pb::DeleteResponse* r) {
        FillHeader(id, result.revision, r->mutable_header());
        r->set_deleted(result.deleted);
        if (!prev) return;
        for (const auto& kv : before.kvs) Fill(kv, r->add_prev_kvs());
      });
}

template <class Request, class Response>
void Register(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server,
              const std::string& name,
              void (*handle)(Cluster*, const Request&, rpc::Responder<Response>)) {
  LeaderUnary<Request, Response>(
      cluster, forwarder, server, kPath + name,
      [cluster, handle](const Request& request, rpc::Responder<Response> responder) {
        if (absl::Status s = CheckCluster(*cluster, request.header().cluster_id()); !s.ok()) {
          return responder.Fail(s);
        }
        handle(cluster, request, std::move(responder));
      });
}

}  // namespace

void RegisterMetaStorage(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server) {
  Register<pb::GetRequest, pb::GetResponse>(cluster, forwarder, server, "Get", Get);
  Register<pb::PutRequest, pb::PutResponse>(cluster, forwarder, server, "Put", Put);
  Register<pb::DeleteRequest, pb::DeleteResponse>(cluster, forwarder, server, "Delete", Delete);
  LeaderStream(cluster, forwarder, server, std::string(kPath) + "Watch",
               [cluster](rpc::ServerStream s) -> std::unique_ptr<rpc::StreamHandler> {
                 return std::make_unique<WatchStream>(cluster, std::move(s));
               });
}

}  // namespace tikv::pd
