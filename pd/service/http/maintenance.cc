// The maintenance lock (TiKV RFC 0118): one task at a time, so that who restarts stores does not do
// it on two sides at once.  Kept in the metadata store; it has no end of its own.
#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

constexpr char kPath[] = "/pd/api/v2/maintenance";
constexpr char kNone[] = "No maintenance task is running";

std::string Root(Api& api) { return meta::KeyRoot(api.cluster().cluster_id()) + "maintenance/"; }
// Exists while any task does: what makes it one at a time.
std::string LockKey(Api& api) { return Root(api) + "lock"; }

// The tasks that run: none or one.
void Load(Api& api, const CallPtr& call, std::function<void(std::vector<Json>)> then) {
  const std::string lock = LockKey(api);
  api.meta().Range(meta::KeyRange::Prefix(Root(api)), {},
                   [call, lock, then = std::move(then)](absl::StatusOr<meta::RangeResult> found) {
                     if (!found.ok()) return call->Error(found.status());
                     std::vector<Json> tasks;
                     for (const auto& kv : found->kvs) {
                       Json task = Json::parse(kv.value, nullptr, false);
                       if (kv.key != lock && task.is_object()) tasks.push_back(std::move(task));
                     }
                     then(std::move(tasks));
                   });
}

void Conflict(const CallPtr& call, const char* error, const std::vector<Json>& tasks) {
  call->Reply({{"error", error}, {"existing_task", tasks.empty() ? Json() : tasks.front()}}, 409);
}

void Start(Api& api, const CallPtr& call) {
  const std::string type = call->Param("type"), id = call->Param("id");
  constexpr size_t kMaxName = 256, kMaxDescription = 64 << 10;
  if (type == "lock" || type.size() > kMaxName || id.size() > kMaxName ||
      call->request().body.size() > kMaxDescription) {
    return call->Message("invalid maintenance task", 400);
  }
  const Json task = {{"type", type},
                     {"id", id},
                     {"start_timestamp", api.cluster().NowMs() / 1000},
                     {"description", call->request().body}};
  meta::Txn txn;
  txn.when = {meta::Compare::Missing(LockKey(api))};
  txn.then = {meta::Op::Put(LockKey(api), type),
              meta::Op::Put(Root(api) + type, Dump(task, false))};
  api.meta().Commit(std::move(txn), [&api, call](absl::StatusOr<meta::TxnResult> result) {
    if (!result.ok()) return call->Error(result.status());
    if (result->succeeded) return call->Message("Maintenance task started successfully.");
    Load(api, call, [call](std::vector<Json> tasks) {
      Conflict(call, "Another maintenance task is already running", tasks);
    });
  });
}

void Show(Api& api, const CallPtr& call) {
  Load(api, call, [call](std::vector<Json> tasks) {
    tasks.empty() ? call->Message(kNone, 404) : call->Reply(Json(tasks));
  });
}

void ShowType(Api& api, const CallPtr& call) {
  Load(api, call, [call](std::vector<Json> tasks) {
    if (!tasks.empty() && tasks[0].value("type", "") == call->Param("type")) {
      return call->Reply(tasks[0]);
    }
    call->Message(fmt::format("{} for this type", kNone), 404);
  });
}

void End(Api& api, const CallPtr& call) {
  Load(api, call, [&api, call](std::vector<Json> tasks) {
    const std::string type = call->Param("type");
    if (tasks.empty() || tasks[0].value("type", "") != type) {
      return call->Message(fmt::format("{} for this type", kNone), 404);
    }
    if (tasks[0].value("id", "") != call->Param("id")) {
      return Conflict(call, "Task ID does not match the current task", tasks);
    }
    // Only the very task that was looked at: another may have begun since.
    meta::Txn txn;
    txn.when = {meta::Compare::ValueIs(Root(api) + type, Dump(tasks[0], false))};
    txn.then = {meta::Op::Delete(LockKey(api)), meta::Op::Delete(Root(api) + type)};
    api.meta().Commit(std::move(txn), [call](absl::StatusOr<meta::TxnResult> result) {
      if (!result.ok()) return call->Error(result.status());
      if (result->succeeded) return call->Message("Maintenance task deleted successfully.");
      call->Message(fmt::format("{} for this type", kNone), 404);
    });
  });
}

}  // namespace

void RegisterMaintenanceRoutes(Api& api) {
  const std::string path = kPath;
  api.Route("GET", path, Served::kLeader, Show);
  api.Route("GET", path + "/{type}", Served::kLeader, ShowType);
  api.Route("PUT", path + "/{type}/{id}", Served::kLeader, Start);
  api.Route("DELETE", path + "/{type}/{id}", Served::kLeader, End);
}

}  // namespace tikv::pd
