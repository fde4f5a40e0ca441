// Readiness and liveness, keyspaces, and what version 2 of the API has besides.
#include "lib/base/status.h"
#include "pd/meta/meta_store.h"
#include "pd/service/http/api.h"

namespace tikv::pd {
namespace {

using Done = Callback<bool>;

struct Check {
  const char* name;
  void (*run)(Api&, Done);
};

void LocalRead(Api& api, Done done) {
  std::move(done)(api.meta().RangeLocal(meta::KeyRange::Single("health")).ok());
}

// In alphabetical order, as they are listed.
constexpr Check kReady[] = {
    {"etcd-data-corruption", [](Api&, Done done) { std::move(done)(true); }},
    {"etcd-linearizable-read",
     [](Api& api, Done done) {
       api.meta().Range(meta::KeyRange::Single("health"), {},
                        [done = std::move(done)](absl::StatusOr<meta::RangeResult> r) mutable {
                          std::move(done)(r.ok());
                        });
     }},
    {"etcd-non-learner",
     [](Api& api, Done done) { std::move(done)(!api.meta().Self().is_learner); }},
    {"etcd-serializable-read", LocalRead},
    // A follower needs a leader to follow, the leader must have loaded its state.
    {"leader-promotion",
     [](Api& api, Done done) {
       auto leader = api.meta().Leader();
       const bool self = leader && leader->id == api.meta().Self().id;
       std::move(done)(leader.has_value() && (!self || api.cluster().serving()));
     }},
};
constexpr Check kLive[] = {{"etcd-serializable-read", LocalRead}};

// Runs the checks one after the other and answers with the sum.
class Probe : public std::enable_shared_from_this<Probe> {
 public:
  Probe(Api& api, CallPtr call, std::vector<Check> checks)
      : api_(api), call_(std::move(call)), checks_(std::move(checks)) {}

  void Next() {
    if (at_ == checks_.size()) return Answer();
    const Check& check = checks_[at_];
    check.run(api_, [self = shared_from_this(), name = check.name](bool ok) {
      self->lines_ += fmt::format("[{}]{} {}\n", ok ? '+' : '-', name, ok ? "ok" : "failed");
      self->failed_ |= !ok;
      ++self->at_;
      self->Next();
    });
  }

 private:
  void Answer() {
    if (failed_) return call_->Plain(lines_, 503);
    const bool verbose = call_->request().Query("verbose").has_value();
    call_->Plain(verbose ? lines_ + "ok" : "ok", 200);
  }

  Api& api_;
  CallPtr call_;
  std::vector<Check> checks_;
  size_t at_ = 0;
  bool failed_ = false;
  std::string lines_;
};

void RunAll(Api& api, const CallPtr& call, std::vector<Check> checks) {
  for (const auto& parameter : call->request().query) {
    if (parameter.first != "exclude") continue;
    std::erase_if(checks, [&](const Check& c) { return parameter.second == c.name; });
  }
  std::make_shared<Probe>(api, call, std::move(checks))->Next();
}

void Ready(Api& api, const CallPtr& call) {
  auto leader = api.meta().Leader();
  const bool self = leader && leader->id == api.meta().Self().id;
  const bool ready = leader && (!self || api.cluster().serving());
  ready ? call->Plain("", 200) : call->Plain("no leader or not loaded", 500);
}

Json DefaultKeyspace(Api& api) {
  const int64_t since = api.cluster().With([](ClusterState& s) { return s.bootstrap_time_s; });
  return {{"id", 0},
          {"name", "DEFAULT"},
          {"state", "ENABLED"},
          {"created_at", since},
          {"state_changed_at", since},
          {"config", Json::object()}};
}

void GetKeyspace(Api& api, const CallPtr& call, bool found) {
  found ? call->Reply(DefaultKeyspace(api))
        : call->Message("[PD:keyspace:ErrKeyspaceNotFound]keyspace does not exist", 500);
}

void Keyspaces(Api& api, const CallPtr& call) {
  call->Reply({{"keyspaces", Json::array({DefaultKeyspace(api)})}, {"next_page_token", ""}});
}

// Timestamps come from PD itself.
void NoKeyspaceGroups(Api&, const CallPtr& call) {
  call->Message("keyspace group manager is not initialized", 500);
}

void NoMicroservice(Api&, const CallPtr& call) { call->Message("not support microservice", 404); }

}  // namespace

void RegisterProbeRoutes(Api& api) {
  const Served here = Served::kHere;
  const std::string v2 = "/pd/api/v2/";
  const std::vector<Check> ready(std::begin(kReady), std::end(kReady));
  const std::vector<Check> live(std::begin(kLive), std::end(kLive));
  api.Route("GET", v2 + "ready", here, Ready);
  api.Route("GET", v2 + "readyz", here,
            [ready](Api& a, const CallPtr& call) { RunAll(a, call, ready); });
  api.Route("GET", v2 + "livez", here,
            [live](Api& a, const CallPtr& call) { RunAll(a, call, live); });
  for (const Check& c : ready) {
    api.Route("GET", v2 + "readyz/" + c.name, here,
              [c](Api& a, const CallPtr& call) { RunAll(a, call, {c}); });
  }
  for (const Check& c : live) {
    api.Route("GET", v2 + "livez/" + c.name, here,
              [c](Api& a, const CallPtr& call) { RunAll(a, call, {c}); });
  }
  api.Route("GET", v2 + "keyspaces", Served::kCluster, Keyspaces);
  api.Route("GET", v2 + "keyspaces/id/{id}", Served::kCluster, [](Api& a, const CallPtr& call) {
    if (auto id = call->Id(call->Param("id"))) GetKeyspace(a, call, *id == 0);
  });
  api.Route("GET", v2 + "keyspaces/{name}", Served::kCluster, [](Api& a, const CallPtr& call) {
    GetKeyspace(a, call, call->Param("name") == "DEFAULT");
  });
  api.Route("GET", v2 + "tso/keyspace-groups", here, NoKeyspaceGroups);
  api.Route("POST", v2 + "tso/keyspace-groups", here, NoKeyspaceGroups);
  api.Route("GET", v2 + "tso/keyspace-groups/{id}", here, NoKeyspaceGroups);
  api.Route("GET", v2 + "ms/members/{service}", here, NoMicroservice);
  api.Route("GET", v2 + "ms/primary/{service}", here, NoMicroservice);
}

}  // namespace tikv::pd
