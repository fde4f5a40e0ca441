#include "lib/rpc/channel.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <condition_variable>

#include "lib/rpc/channel_state.h"
#include "lib/rpc/tsan.h"

#ifdef __SANITIZE_THREAD__
extern "C" const char* __tsan_default_suppressions() {
  return "race:Status::Unref\nrace:libgrpc\nrace:libgpr\nrace:libabsl\nmutex:libgrpc\ndeadlock:"
         "libgrpc\n"
         "called_from_lib:libgrpc.so\ncalled_from_lib:libgpr.so\n";
}
#endif

namespace tikv::rpc {
namespace {

constexpr int kWindowBytes = 2 << 20;
constexpr unsigned kCertificateRefreshSeconds = 1;

// Certificates are read again when they change: new connections use what is there by then.
std::shared_ptr<grpc::ChannelCredentials> Credentials(const TlsFiles& tls) {
  namespace experimental = grpc::experimental;
  if (tls.ca_path.empty() && !tls.enabled()) return grpc::InsecureChannelCredentials();
  experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(std::make_shared<experimental::FileWatcherCertificateProvider>(
      tls.key_path, tls.cert_path, tls.ca_path, kCertificateRefreshSeconds));
  if (!tls.ca_path.empty()) options.watch_root_certs();
  if (tls.enabled()) options.watch_identity_key_cert_pairs();
  return experimental::TlsCredentials(options);
}

grpc::ChannelArguments Arguments(const ChannelPoolOptions& o) {
  grpc::ChannelArguments args;
  auto set = [&args](const char* key, std::chrono::milliseconds v) {
    args.SetInt(key, static_cast<int>(v.count()));
  };
  set(GRPC_ARG_KEEPALIVE_TIME_MS, o.keepalive_interval);
  set(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, o.keepalive_timeout);
  set(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, o.initial_backoff);
  set(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, o.connect_timeout);  // It is the connect time-out, too.
  set(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, o.max_backoff);
  args.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  args.SetInt(GRPC_ARG_HTTP2_STREAM_LOOKAHEAD_BYTES, kWindowBytes);
  args.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
  args.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  args.SetInt(GRPC_ARG_ENABLE_RETRIES, 0);
  args.SetInt(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1);
  args.SetMaxReceiveMessageSize(-1);
  args.SetMaxSendMessageSize(-1);
  return args;
}

std::string WithoutScheme(std::string_view address) {
  if (size_t at = address.find("://"); at != std::string_view::npos) address.remove_prefix(at + 3);
  if (size_t slash = address.find('/'); slash != std::string_view::npos) {
    address = address.substr(0, slash);
  }
  return std::string(address);
}

}  // namespace

// --- The pool.

ChannelState::ChannelState(ChannelPoolOptions o)
    : options(std::move(o)), credentials(Credentials(options.tls)) {}

void ChannelState::Run() {
  pthread_setname_np(pthread_self(), options.thread_name.substr(0, 15).c_str());
  void* tag;
  bool ok;
  while (queue.Next(&tag, &ok)) {
    TakeFromGrpc(tag);
    static_cast<CompletionTag*>(tag)->Run(ok);
  }
}

bool ChannelState::Register(CancellableCall* call) {
  std::lock_guard lock(mutex);
  if (closing) return false;
  live.insert(call);
  return true;
}

void ChannelState::Unregister(CancellableCall* call) {
  std::lock_guard lock(mutex);
  live.erase(call);
  if (live.empty()) all_done.notify_all();
}

ChannelPool::ChannelPool(ChannelPoolOptions options)
    : state_(std::make_shared<ChannelState>(std::move(options))) {
  state_->thread = std::thread([state = state_.get()] { state->Run(); });
}

ChannelPool::~ChannelPool() {
  {
    std::unique_lock lock(state_->mutex);
    state_->closing = true;
    for (CancellableCall* call : state_->live) call->TryCancel();
    state_->all_done.wait(lock, [this] { return state_->live.empty(); });
  }
  state_->queue.Shutdown();
  state_->thread.join();
}

std::shared_ptr<Channel> ChannelPool::Get(std::string_view address) {
  std::string key = WithoutScheme(address);
  std::lock_guard lock(state_->mutex);
  std::shared_ptr<Channel>& slot = state_->channels[key];
  if (slot == nullptr) slot = std::make_shared<Channel>(state_, key);
  return slot;
}

void ChannelPool::Remove(std::string_view address) {
  std::shared_ptr<Channel> removed;
  std::lock_guard lock(state_->mutex);
  auto it = state_->channels.find(WithoutScheme(address));
  if (it == state_->channels.end()) return;
  removed = std::move(it->second);
  state_->channels.erase(it);
}

// --- One channel.

struct Channel::Impl {
  std::weak_ptr<ChannelState> state;  // The pool holds the channel: not the other way round too.
  std::shared_ptr<grpc::Channel> channel;
};

Channel::Channel(std::shared_ptr<ChannelState> state, std::string address)
    : impl_(std::make_unique<Impl>()), address_(std::move(address)) {
  impl_->state = state;
  impl_->channel =
      grpc::CreateCustomChannel(address_, state->credentials, Arguments(state->options));
}

Channel::~Channel() = default;

void Channel::ResetBackoff() {
  grpc::experimental::ChannelResetConnectionBackoff(impl_->channel.get());
}

bool Channel::IsReady() const { return impl_->channel->GetState(false) == GRPC_CHANNEL_READY; }

std::shared_ptr<ClientCall> Channel::Unary(std::string_view path, std::string request,
                                           CallOptions options,
                                           Callback<absl::StatusOr<std::string>> done) {
  return StartUnary(impl_->state.lock(), impl_->channel, path, std::move(request),
                    std::move(options), std::move(done));
}

absl::StatusOr<std::string> Channel::UnaryAndWait(std::string_view path, std::string request,
                                                  CallOptions options) {
  std::mutex mutex;
  std::condition_variable cv;
  std::optional<absl::StatusOr<std::string>> result;
  options.runner = nullptr;
  Unary(path, std::move(request), std::move(options), [&](absl::StatusOr<std::string> r) {
    std::lock_guard lock(mutex);
    result = std::move(r);
    cv.notify_one();
  });
  std::unique_lock lock(mutex);
  cv.wait(lock, [&] { return result.has_value(); });
  return *std::move(result);
}

std::shared_ptr<ClientStream> Channel::OpenStream(std::string_view path, CallOptions options,
                                                  std::unique_ptr<ClientStreamHandler> handler,
                                                  StreamOptions stream_options) {
  return StartStream(impl_->state.lock(), impl_->channel, path, std::move(options),
                     std::move(handler), stream_options);
}

}  // namespace tikv::rpc
