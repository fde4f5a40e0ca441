#include "pd/meta/replica/peer_transport.h"

#include <shared_mutex>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "lib/rpc/channel.h"
#include "lib/rpc/server.h"
#include "pd/meta/replica/snapshot_receiver.h"
#include "pd/meta/replica/snapshot_sender.h"

namespace tikv::pd::meta {
namespace {

constexpr char kMessagesPath[] = "/tikv.pd.meta.Peer/Messages";
constexpr char kSnapshotPath[] = "/tikv.pd.meta.Peer/Snapshot";
constexpr char kClusterKey[] = "pd-meta-cluster";
constexpr char kFromKey[] = "pd-meta-from";
constexpr char kToKey[] = "pd-meta-to";
constexpr std::string_view kRemovedText = "this member was removed from the cluster";

constexpr Duration kReopenInterval = std::chrono::milliseconds(100);
constexpr size_t kMaxPendingBytes = size_t{256} << 20;

std::string HexId(uint64_t id) { return fmt::format("{:x}", id); }

uint64_t FromHexId(std::optional<std::string_view> text) {
  if (!text) return 0;
  return std::strtoull(std::string(*text).c_str(), nullptr, 16);
}

rpc::Metadata StreamMetadata(const PeerTransportOptions& options, uint64_t to) {
  return {{kClusterKey, HexId(options.cluster_id)},
          {kFromKey, HexId(options.member_id)},
          {kToKey, HexId(to)}};
}

}  // namespace

// The receiver, shared with streams that may outlive the transport for a moment.
struct PeerTransport::Shared {
  std::shared_mutex mutex;
  TransportReceiver* receiver = nullptr;

  template <class F>
  void With(F&& f) {
    std::shared_lock lock(mutex);
    if (receiver != nullptr) f(receiver);
  }
};

// The outgoing stream to one member; reopened by the next message after it broke.
class PeerTransport::Link : public std::enable_shared_from_this<Link> {
 public:
  Link(uint64_t to, std::string url, const PeerTransportOptions& options,
       const PeerTransportDeps& deps, std::shared_ptr<Shared> shared)
      : to_(to), url_(std::move(url)), options_(options), deps_(deps), shared_(std::move(shared)) {}

  const std::string& url() const { return url_; }

  void Send(std::string bytes) {
    std::shared_ptr<rpc::ClientStream> stream = Stream();
    if (stream != nullptr) stream->Send(std::move(bytes));
  }

  void Close() {
    std::lock_guard lock(mutex_);
    closed_ = true;
    stream_ = nullptr;
  }

 private:
  class Handler : public rpc::ClientStreamHandler {
   public:
    explicit Handler(std::shared_ptr<Link> link) : link_(std::move(link)) {}
    void OnMessage(std::string_view) override {}
    void OnClosed(const absl::Status& status) override { link_->OnClosed(status); }

   private:
    std::shared_ptr<Link> link_;
  };

  std::shared_ptr<rpc::ClientStream> Stream() {
    std::lock_guard lock(mutex_);
    if (closed_ || stream_ != nullptr) return stream_;
    const MonotonicTime now = deps_.clock->Now();
    if (now - opened_ < kReopenInterval) return nullptr;
    opened_ = now;
    rpc::CallOptions options;
    options.metadata = StreamMetadata(options_, to_);
    stream_ = deps_.channels->Get(url_)->OpenStream(kMessagesPath, std::move(options),
                                                    std::make_unique<Handler>(shared_from_this()),
                                                    {.max_pending_bytes = kMaxPendingBytes});
    return stream_;
  }

  void OnClosed(const absl::Status& status) {
    {
      std::lock_guard lock(mutex_);
      stream_ = nullptr;
      if (closed_) return;
    }
    if (Message(status).find(kRemovedText) != std::string_view::npos) {
      shared_->With([](TransportReceiver* receiver) { receiver->OnRemoved(); });
    }
    shared_->With([&](TransportReceiver* receiver) { receiver->OnUnreachable(to_); });
  }

  const uint64_t to_;
  const std::string url_;
  const PeerTransportOptions& options_;
  const PeerTransportDeps& deps_;
  const std::shared_ptr<Shared> shared_;
  std::mutex mutex_;
  std::shared_ptr<rpc::ClientStream> stream_;
  MonotonicTime opened_{INT64_MIN / 2};
  bool closed_ = false;
};

namespace {

// Frames from one member.
class MessagesHandler : public rpc::StreamHandler {
 public:
  MessagesHandler(uint64_t from, rpc::ServerStream stream,
                  std::shared_ptr<PeerTransport::Shared> shared)
      : from_(from), stream_(std::move(stream)), shared_(std::move(shared)) {}

  void OnMessage(std::string_view bytes) override {
    absl::StatusOr<Frame> frame = DecodeFrame(bytes);
    if (!frame.ok()) return stream_.Finish(frame.status());
    bool removed = false;
    shared_->With([&](TransportReceiver* receiver) {
      removed = receiver->WasRemoved(from_);
      if (!removed) receiver->OnFrame(from_, *std::move(frame));
    });
    if (removed) stream_.Finish(FailedPrecondition("{}", kRemovedText));
  }
  void OnHalfClose() override { stream_.Finish(absl::OkStatus()); }
  void OnClosed(const absl::Status&) override {}

 private:
  const uint64_t from_;
  rpc::ServerStream stream_;
  const std::shared_ptr<PeerTransport::Shared> shared_;
};

// Who is at the other end, or why it is not welcome.
absl::StatusOr<uint64_t> Admit(const rpc::CallContext& context, const PeerTransportOptions& options,
                               PeerTransport::Shared* shared) {
  const uint64_t cluster = FromHexId(context.Find(kClusterKey));
  if (cluster != options.cluster_id) {
    return FailedPrecondition("cluster id mismatch: this member is of {:x}, the caller of {:x}",
                              options.cluster_id, cluster);
  }
  if (const uint64_t to = FromHexId(context.Find(kToKey)); to != options.member_id) {
    return FailedPrecondition("this is member {:x}, not {:x}", options.member_id, to);
  }
  const uint64_t from = FromHexId(context.Find(kFromKey));
  bool removed = false;
  shared->With([&](TransportReceiver* receiver) { removed = receiver->WasRemoved(from); });
  if (removed) return FailedPrecondition("{}", kRemovedText);
  return from;
}

}  // namespace

PeerTransport::PeerTransport(PeerTransportOptions options, PeerTransportDeps deps)
    : options_(std::move(options)), deps_(deps), shared_(std::make_shared<Shared>()) {}

PeerTransport::~PeerTransport() { Stop(); }

void PeerTransport::SetReceiver(TransportReceiver* receiver) {
  std::unique_lock lock(shared_->mutex);
  shared_->receiver = receiver;
}

void PeerTransport::Stop() {
  SetReceiver(nullptr);
  std::lock_guard lock(mutex_);
  stopped_ = true;
  for (auto& [id, link] : links_) link->Close();
  links_.clear();
}

void PeerTransport::Register(rpc::Server* server) {
  server->RegisterStream(
      kMessagesPath,
      [this](rpc::ServerStream stream,
             const rpc::CallContext& context) -> std::unique_ptr<rpc::StreamHandler> {
        absl::StatusOr<uint64_t> from = Admit(context, options_, shared_.get());
        if (!from.ok()) {
          stream.Finish(from.status());
          return nullptr;
        }
        return std::make_unique<MessagesHandler>(*from, std::move(stream), shared_);
      });
  server->RegisterStream(
      kSnapshotPath,
      [this](rpc::ServerStream stream,
             const rpc::CallContext& context) -> std::unique_ptr<rpc::StreamHandler> {
        absl::StatusOr<uint64_t> from = Admit(context, options_, shared_.get());
        if (!from.ok()) {
          stream.Finish(from.status());
          return nullptr;
        }
        return NewSnapshotReceiver(std::move(stream), deps_.fs, deps_.files, options_.snapshot_dir,
                                   [shared = shared_](eraftpb::Message message, std::string path) {
                                     shared->With([&](TransportReceiver* receiver) {
                                       receiver->OnSnapshot(std::move(message), std::move(path));
                                     });
                                   });
      });
}

void PeerTransport::SetPeers(const PeerUrls& peers) {
  std::lock_guard lock(mutex_);
  if (stopped_) return;
  std::map<uint64_t, std::shared_ptr<Link>> links;
  for (const auto& [id, urls] : peers) {
    if (urls.empty()) continue;
    auto old = links_.find(id);
    links[id] = old != links_.end() && old->second->url() == urls[0]
                    ? old->second
                    : std::make_shared<Link>(id, urls[0], options_, deps_, shared_);
  }
  for (auto& [id, link] : links_) {
    if (auto it = links.find(id); it == links.end() || it->second != link) link->Close();
  }
  links_ = std::move(links);
}

void PeerTransport::Send(uint64_t to, const Frame& frame) {
  std::shared_ptr<Link> link;
  {
    std::lock_guard lock(mutex_);
    auto it = links_.find(to);
    if (it == links_.end()) return;
    link = it->second;
  }
  link->Send(EncodeFrame(frame));
}

void PeerTransport::SendSnapshot(const eraftpb::Message& message,
                                 std::shared_ptr<const engine::Snapshot> state,
                                 std::function<void(bool)> done) {
  std::string url;
  {
    std::lock_guard lock(mutex_);
    auto it = links_.find(message.to());
    if (it != links_.end()) url = it->second->url();
  }
  if (url.empty()) return done(false);
  rpc::CallOptions options;
  options.metadata = StreamMetadata(options_, message.to());
  options.timeout = std::chrono::minutes(10);
  SendSnapshotOver(*deps_.channels->Get(url), kSnapshotPath, std::move(options), deps_.pool,
                   message.SerializeAsString(), std::move(state), std::move(done));
}

}  // namespace tikv::pd::meta
