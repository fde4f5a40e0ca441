// pdpb.PD: settings that programs share, below one prefix of the metadata store.
#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/grpc/other_services.h"
#include "proto/pdpb.pb.h"

namespace tikv::pd {
namespace {

constexpr std::string_view kRoot = "/global/config/";

// "" and the root without its slash stand for the root; nothing outside it is shown or changed.
absl::StatusOr<std::string> PathOf(const std::string& asked) {
  if (asked.empty() || asked + "/" == kRoot) return std::string(kRoot);
  if (!asked.starts_with(kRoot)) {
    return InvalidArgument("global config path \"{}\" is not allowed", asked.substr(0, 256));
  }
  return asked.ends_with('/') ? asked : asked + "/";
}

void Store(Cluster* cluster, const pdpb::StoreGlobalConfigRequest& request,
           rpc::Responder<pdpb::StoreGlobalConfigResponse> responder) {
  auto path = PathOf(request.config_path());
  if (!path.ok()) return responder.Fail(path.status());
  meta::Txn txn;
  for (const auto& item : request.changes()) {
    // The value first: that is what TiCDC sets.
    txn.then.push_back(item.kind() == pdpb::DELETE
                           ? meta::Op::Delete(*path + item.name())
                           : meta::Op::Put(*path + item.name(),
                                           item.value().empty() ? item.payload() : item.value()));
  }
  cluster->host().meta->Commit(std::move(txn), [responder = std::move(responder)](
                                                   absl::StatusOr<meta::TxnResult> result) mutable {
    result.ok() ? responder.Reply({}) : responder.Fail(result.status());
  });
}

// By names: one item each, with an error where there is none.  Else all of the path.
void Load(Cluster* cluster, const pdpb::LoadGlobalConfigRequest& request,
          rpc::Responder<pdpb::LoadGlobalConfigResponse> responder) {
  auto path = PathOf(request.config_path());
  if (!path.ok()) return responder.Fail(path.status());
  cluster->host().meta->Range(
      meta::KeyRange::Prefix(*path), {},
      [path = *path, names = request.names(),
       responder = std::move(responder)](absl::StatusOr<meta::RangeResult> found) mutable {
        if (!found.ok()) return responder.Fail(found.status());
        pdpb::LoadGlobalConfigResponse r;
        if (names.empty()) {
          r.set_revision(found->revision);
          for (const auto& kv : found->kvs) {
            auto* item = r.add_items();
            item->set_kind(pdpb::PUT);
            item->set_name(kv.key);
            item->set_payload(kv.value);
          }
        }
        for (const std::string& name : names) {
          auto* item = r.add_items();
          item->set_name(path + name);
          auto kv = std::find_if(found->kvs.begin(), found->kvs.end(),
                                 [&](const auto& k) { return k.key == path + name; });
          if (kv != found->kvs.end()) {
            item->set_kind(pdpb::PUT);
            item->set_payload(kv->value);
          } else {
            item->mutable_error()->set_type(pdpb::GLOBAL_CONFIG_NOT_FOUND);
            item->mutable_error()->set_message(fmt::format("key {} not found", name));
          }
        }
        responder.Reply(r);
      });
}

// Sends changes from the revision asked for, or from the next one, as they happen.
class WatchStream : public rpc::StreamHandler {
 public:
  WatchStream(Cluster* cluster, rpc::ServerStream stream)
      : cluster_(cluster), stream_(std::move(stream)) {}

  void OnMessage(std::string_view bytes) override {
    pdpb::WatchGlobalConfigRequest request;
    absl::Status s = rpc::ParseMessage(bytes, "/pdpb.PD/WatchGlobalConfig", &request);
    auto path = PathOf(request.config_path());
    if (s.ok()) s = path.status();
    if (!s.ok()) return stream_.Finish(s);
    meta::WatchOptions options;
    options.range = meta::KeyRange::Prefix(*path);
    options.start_revision = request.revision();
    options.prev_kv = true;
    watch_ = cluster_->host().meta->Watch(std::move(options),
                                          [stream = stream_, id = cluster_->cluster_id()](
                                              meta::WatchBatch batch) { Send(stream, id, batch); });
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override { watch_.reset(); }

 private:
  static void Send(const rpc::ServerStream& stream, uint64_t id, const meta::WatchBatch& batch) {
    constexpr size_t kMaxPendingBytes = 64 << 20;
    if (stream.pending_bytes() > kMaxPendingBytes) {
      return stream.Finish(ResourceExhausted("the watcher does not keep up"));
    }
    pdpb::WatchGlobalConfigResponse r;
    r.mutable_header()->set_cluster_id(id);
    r.set_revision(batch.compact_revision != 0 ? batch.compact_revision : batch.revision);
    if (batch.compact_revision != 0) {
      r.mutable_header()->mutable_error()->set_type(pdpb::DATA_COMPACTED);
      r.mutable_header()->mutable_error()->set_message("required watch revision is compacted");
    }
    for (const meta::Event& e : batch.events) {
      auto* item = r.add_changes();
      item->set_name(e.kv.key);
      item->set_kind(e.is_delete ? pdpb::DELETE : pdpb::PUT);
      item->set_payload(e.is_delete ? e.prev.value : e.kv.value);
    }
    stream.SendFramed(rpc::SerializeFramed(r));
    if (batch.compact_revision != 0) stream.Finish(absl::OkStatus());
  }

  Cluster* cluster_;
  rpc::ServerStream stream_;
  std::unique_ptr<meta::WatchHandle> watch_;
};

}  // namespace

void RegisterGlobalConfig(Cluster* cluster, const Forwarder* forwarder, rpc::Server* server) {
  LeaderUnary<pdpb::StoreGlobalConfigRequest, pdpb::StoreGlobalConfigResponse>(
      cluster, forwarder, server, "/pdpb.PD/StoreGlobalConfig",
      [cluster](const auto& request, auto responder) {
        Store(cluster, request, std::move(responder));
      });
  LeaderUnary<pdpb::LoadGlobalConfigRequest, pdpb::LoadGlobalConfigResponse>(
      cluster, forwarder, server, "/pdpb.PD/LoadGlobalConfig",
      [cluster](const auto& request, auto responder) {
        Load(cluster, request, std::move(responder));
      });
  LeaderStream(cluster, forwarder, server, "/pdpb.PD/WatchGlobalConfig",
               [cluster](rpc::ServerStream s) -> std::unique_ptr<rpc::StreamHandler> {
                 return std::make_unique<WatchStream>(cluster, std::move(s));
               });
}

}  // namespace tikv::pd
