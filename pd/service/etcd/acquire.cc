#include "pd/service/etcd/acquire.h"

#include "lib/base/status.h"
#include "pd/meta/mvcc/view.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;

std::string Prefix(const std::string& name) { return name + "/"; }

// One call; its steps run on the store's threads one after the other: Put, then Look as often as
// the place ahead goes away.
class Waiting : public std::enable_shared_from_this<Waiting> {
 public:
  Waiting(EtcdContext* context, std::string name, int64_t lease, std::string value,
          Callback<absl::StatusOr<Place>> done)
      : context_(context),
        name_(std::move(name)),
        lease_(lease),
        value_(std::move(value)),
        done_(std::move(done)) {
    place_.key = fmt::format("{}{:x}", Prefix(name_), lease);
  }

  void Start(const rpc::CallContext& call) {
    call.OnCancel([self = shared_from_this()] { self->GiveUp(); });
    Put();
  }

 private:
  void Put() {
    TxnRequest txn;
    auto* missing = txn.add_compare();
    missing->set_key(place_.key);
    missing->set_target(Compare::CREATE);
    missing->set_create_revision(0);
    auto* put = txn.add_success()->mutable_request_put();
    put->set_key(place_.key);
    put->set_value(value_);
    put->set_lease(lease_);
    txn.add_failure()->mutable_request_range()->set_key(place_.key);
    Submit<TxnResponse>(context_, meta::CommandType::kTxn, txn,
                        [self = shared_from_this()](absl::StatusOr<TxnResponse> response) {
                          self->OnPut(std::move(response));
                        });
  }

  void OnPut(absl::StatusOr<TxnResponse> response) {
    if (!response.ok()) return Finish(response.status());
    if (response->succeeded()) {
      place_.create_revision = response->header().revision();
      return Look();
    }
    const auto& there = response->responses(0).response_range().kvs(0);
    place_.create_revision = there.create_revision();
    if (there.value() == value_) return Look();
    PutRequest put;
    put.set_key(place_.key);
    put.set_value(value_);
    put.set_lease(lease_);
    Submit<PutResponse>(context_, meta::CommandType::kPut, put,
                        [self = shared_from_this()](absl::StatusOr<PutResponse> done) {
                          done.ok() ? self->Look() : self->Finish(done.status());
                        });
  }

  // Who is just ahead of us?
  void Look() {
    context_->pool->Post([self = shared_from_this()] { self->LookNow(); });
  }

  void LookNow() {
    auto state = context_->store->machine().TakeSnapshot();
    std::optional<meta::KeyValue> ahead;
    bool ours = false;
    absl::Status status =
        meta::View(*state.snapshot, state.revision)
            .Scan(meta::KeyRange::Prefix(Prefix(name_)), true, [&](meta::KeyValue kv) {
              ours = ours || (kv.key == place_.key && kv.create_revision == place_.create_revision);
              if (kv.create_revision < place_.create_revision &&
                  (!ahead || kv.create_revision > ahead->create_revision)) {
                ahead = std::move(kv);
              }
              return true;
            });
    if (!status.ok()) return Finish(status);
    if (!ours) return Finish(NotFound("etcdserver: requested lease not found"));
    if (!ahead) return Finish(place_);
    auto watch = context_->store->Watch(
        {.range = meta::KeyRange::Single(ahead->key), .start_revision = state.revision + 1},
        [self = shared_from_this()](meta::WatchBatch batch) {
          const bool gone = batch.compact_revision != 0 ||
                            std::any_of(batch.events.begin(), batch.events.end(),
                                        [](const meta::Event& e) { return e.is_delete; });
          if (gone) self->Again();
        });
    std::unique_ptr<meta::WatchHandle> old;
    std::lock_guard lock(mutex_);
    old = std::exchange(watch_, done_ ? std::move(watch) : nullptr);
  }

  void Again() {
    {
      std::lock_guard lock(mutex_);
      watch_ = nullptr;
      if (!done_) return;
    }
    Look();
  }

  void Finish(absl::StatusOr<Place> result) {
    Callback<absl::StatusOr<Place>> done;
    {
      std::lock_guard lock(mutex_);
      watch_ = nullptr;
      done = std::exchange(done_, nullptr);
    }
    if (done) std::move(done)(std::move(result));
  }

  void GiveUp() {
    {
      std::lock_guard lock(mutex_);
      watch_ = nullptr;
      if (!done_) return;
    }
    Finish(Cancelled("the caller is gone"));
    DeleteRangeRequest request;
    request.set_key(place_.key);
    Submit<DeleteRangeResponse>(context_, meta::CommandType::kDeleteRange, request,
                                [](absl::StatusOr<DeleteRangeResponse>) {});
  }

  EtcdContext* const context_;
  const std::string name_;
  const int64_t lease_;
  const std::string value_;
  Place place_;
  std::mutex mutex_;  // Guards what follows.
  Callback<absl::StatusOr<Place>> done_;
  std::unique_ptr<meta::WatchHandle> watch_;
};

}  // namespace

void Acquire(EtcdContext* context, const std::string& name, int64_t lease, const std::string& value,
             const rpc::CallContext& call, Callback<absl::StatusOr<Place>> done) {
  std::make_shared<Waiting>(context, name, lease, value, std::move(done))->Start(call);
}

absl::StatusOr<std::optional<meta::KeyValue>> Owner(EtcdContext* context, const std::string& name) {
  auto state = context->store->machine().TakeSnapshot();
  std::optional<meta::KeyValue> owner;
  RETURN_IF_ERROR(meta::View(*state.snapshot, state.revision)
                      .Scan(meta::KeyRange::Prefix(Prefix(name)), false, [&](meta::KeyValue kv) {
                        if (!owner || kv.create_revision < owner->create_revision) {
                          owner = std::move(kv);
                        }
                        return true;
                      }));
  return owner;
}

}  // namespace tikv::pd::etcd
