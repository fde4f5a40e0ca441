// etcdserverpb.Watch: many watches on one stream.
#include <map>

#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/range.h"
#include "pd/service/etcd/context.h"

namespace tikv::pd::etcd {
namespace {

using namespace etcdserverpb;
using meta::Event;
using WatchStream = rpc::TypedStream<WatchResponse>;

constexpr size_t kMaxPendingBytes = 16 << 20;  // Above, watches pause.
constexpr size_t kFragmentBytes = 1536 << 10;  // Responses of watches that ask for fragments.
constexpr Duration kTick = std::chrono::seconds(1);
constexpr int kTicksPerProgress = 600;  // Ten minutes, as etcd.
constexpr int kTicksWithoutLeader = 3;
constexpr int64_t kNoWatch = -1;

// One watch's way to the stream.  Called on the watch strand; Close may come from a loop.
class Sink : public meta::WatchSink {
 public:
  Sink(EtcdContext* context, int64_t id, const WatchCreateRequest& request, WatchStream stream)
      : context_(context),
        id_(id),
        prev_kv_(request.prev_kv()),
        fragment_(request.fragment()),
        progress_(request.progress_notify()),
        stream_(std::move(stream)) {
    for (int filter : request.filters()) {
      no_put_ = no_put_ || filter == WatchCreateRequest::NOPUT;
      no_delete_ = no_delete_ || filter == WatchCreateRequest::NODELETE;
    }
  }

  void OnCreated(int64_t revision) override {
    WatchResponse response = Make(revision);
    response.set_created(true);
    Send(response);
  }

  bool OnEvents(int64_t revision, const std::vector<Event>& events) override {
    WatchResponse response = Make(revision);
    size_t bytes = 0;
    for (const Event& event : events) {
      if (event.is_delete ? no_delete_ : no_put_) continue;
      if (fragment_ && bytes > kFragmentBytes) {
        response.set_fragment(true);
        Send(response);
        response = Make(revision);
        bytes = 0;
      }
      Add(event, response.add_events());
      bytes += response.events(response.events_size() - 1).ByteSizeLong();
    }
    if (response.events_size() > 0) Send(response);
    quiet_ = response.events_size() == 0;
    return stream_.pending_bytes() < kMaxPendingBytes;
  }

  void OnCompacted(int64_t compact_revision) override {
    WatchResponse response = Make(context_->store->revision());
    response.set_canceled(true);
    response.set_compact_revision(compact_revision);
    response.set_cancel_reason("etcdserver: mvcc: required revision has been compacted");
    Send(response);
  }

  // Once per ten minutes, for watches that asked for it and had nothing else.
  void OnProgress(int64_t revision) {
    if (progress_ && std::exchange(quiet_, true)) Send(Make(std::max<int64_t>(revision, 1)));
  }

  void Close() { closed_.store(true); }

 private:
  WatchResponse Make(int64_t revision) const {
    WatchResponse response;
    response.mutable_header()->set_revision(revision);
    context_->store->FillHeader(response.mutable_header());
    response.set_watch_id(id_);
    return response;
  }

  void Add(const Event& event, mvccpb::Event* out) const {
    out->set_type(event.is_delete ? mvccpb::Event::DELETE : mvccpb::Event::PUT);
    meta::ToProto(event.kv, out->mutable_kv());
    if (prev_kv_ && event.has_prev) meta::ToProto(event.prev, out->mutable_prev_kv());
  }

  void Send(const WatchResponse& response) const {
    if (!closed_.load()) stream_.Send(response);
  }

  EtcdContext* const context_;
  const int64_t id_;
  const bool prev_kv_, fragment_, progress_;
  bool no_put_ = false, no_delete_ = false;
  bool quiet_ = true;
  std::atomic<bool> closed_{false};
  const WatchStream stream_;
};

// The watches of one stream.  The handler calls it on the loop, the timer on the watch strand.
class Watches : public std::enable_shared_from_this<Watches> {
 public:
  Watches(EtcdContext* context, Executor* strand, WatchStream stream, bool require_leader)
      : context_(context),
        strand_(strand),
        stream_(std::move(stream)),
        require_leader_(require_leader) {}

  void StartTimer() {
    strand_->PostAfter(kTick, [weak = weak_from_this()] {
      if (auto self = weak.lock()) self->OnTick();
    });
  }

  void Create(const WatchCreateRequest& request) {
    std::lock_guard lock(mutex_);
    int64_t id = request.watch_id();
    if (id == 0) {
      while (watches_.contains(next_id_)) ++next_id_;
      id = next_id_++;
    } else if (watches_.contains(id)) {
      return Refuse("etcdserver: mvcc: watch ID already exists");
    }
    meta::KeyRange range{request.key(), request.range_end()};
    if (range.key.empty()) range.key.assign(1, '\0');
    auto sink = std::make_shared<Sink>(context_, id, request, stream_);
    watches_[id] = {sink,
                    context_->store->hub().Add(std::move(range), request.start_revision(), sink)};
  }

  void Cancel(int64_t id) {
    std::lock_guard lock(mutex_);
    auto watch = watches_.extract(id);
    if (watch.empty()) return;
    watch.mapped().sink->Close();
    context_->store->hub().Remove(watch.mapped().hub_id);
    WatchResponse response;
    context_->store->FillHeader(response.mutable_header());
    response.set_watch_id(id);
    response.set_canceled(true);
    stream_.Send(response);
  }

  void Progress() {
    std::vector<meta::WatchHub::WatchId> ids;
    {
      std::lock_guard lock(mutex_);
      for (const auto& [id, watch] : watches_) ids.push_back(watch.hub_id);
    }
    context_->store->hub().Progress(std::move(ids), [self = shared_from_this()](int64_t revision) {
      WatchResponse response;
      response.mutable_header()->set_revision(std::max<int64_t>(revision, 1));
      self->context_->store->FillHeader(response.mutable_header());
      response.set_watch_id(kNoWatch);
      self->stream_.Send(response);
    });
  }

  void ResumeAll() {
    std::lock_guard lock(mutex_);
    for (auto& [id, watch] : watches_) context_->store->hub().Resume(watch.hub_id);
  }

  void Close() {
    std::lock_guard lock(mutex_);
    for (auto& [id, watch] : watches_) {
      watch.sink->Close();
      context_->store->hub().Remove(watch.hub_id);
    }
    watches_.clear();
  }

 private:
  struct Entry {
    std::shared_ptr<Sink> sink;
    meta::WatchHub::WatchId hub_id = 0;
  };

  void Refuse(const std::string& reason) {
    WatchResponse response;
    context_->store->FillHeader(response.mutable_header());
    response.set_watch_id(kNoWatch);
    response.set_created(true);
    response.set_canceled(true);
    response.set_cancel_reason(reason);
    stream_.Send(response);
  }

  void OnTick() {
    if (stream_.context().cancelled()) return;
    const bool leader = context_->store->replica().view().leader.load() != 0;
    ticks_without_leader_ = leader ? 0 : ticks_without_leader_ + 1;
    if (require_leader_ && ticks_without_leader_ >= kTicksWithoutLeader) {
      return stream_.Finish(meta::ErrNoLeader());
    }
    if (++ticks_ % kTicksPerProgress == 0) {
      std::lock_guard lock(mutex_);
      for (auto& [id, watch] : watches_) {
        context_->store->hub().Progress(
            {watch.hub_id}, [sink = watch.sink](int64_t revision) { sink->OnProgress(revision); });
      }
    }
    StartTimer();
  }

  EtcdContext* const context_;
  Executor* const strand_;
  const WatchStream stream_;
  const bool require_leader_;
  int ticks_ = 0;
  int ticks_without_leader_ = 0;
  std::mutex mutex_;  // Guards what follows.
  std::map<int64_t, Entry> watches_;
  int64_t next_id_ = 0;
};

class Handler : public rpc::TypedStreamHandler<WatchRequest> {
 public:
  Handler(std::shared_ptr<Watches> watches, WatchStream stream)
      : watches_(std::move(watches)), stream_(std::move(stream)) {}

  void OnMessage(const WatchRequest& request) override {
    switch (request.request_union_case()) {
      case WatchRequest::kCreateRequest:
        return watches_->Create(request.create_request());
      case WatchRequest::kCancelRequest:
        return watches_->Cancel(request.cancel_request().watch_id());
      case WatchRequest::kProgressRequest:
        return watches_->Progress();
      case WatchRequest::REQUEST_UNION_NOT_SET:
        return;
    }
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnDrained() override { watches_->ResumeAll(); }
  void OnClosed(const absl::Status&) override { watches_->Close(); }

 private:
  const std::shared_ptr<Watches> watches_;
  const WatchStream stream_;
};

}  // namespace

void RegisterWatch(EtcdContext* context, rpc::Server& server, Executor* watch_strand) {
  rpc::Stream<WatchRequest, WatchResponse>(
      server, "/etcdserverpb.Watch/Watch",
      [context, watch_strand](WatchStream stream, const rpc::CallContext& call)
          -> std::unique_ptr<rpc::TypedStreamHandler<WatchRequest>> {
        const bool require_leader = call.Find("hasleader") == "true";
        if (require_leader && context->store->replica().view().leader.load() == 0) {
          stream.Finish(meta::ErrNoLeader());
          return nullptr;
        }
        auto watches = std::make_shared<Watches>(context, watch_strand, stream, require_leader);
        watches->StartTimer();
        return std::make_unique<Handler>(std::move(watches), std::move(stream));
      });
}

}  // namespace tikv::pd::etcd
