#include "lib/pdchannel/pd_channel_impl.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace tikv::pdchannel {
namespace {

constexpr std::string_view kGetMembers = "/pdpb.PD/GetMembers";

std::chrono::milliseconds Millis(Duration d) {
  return std::max(std::chrono::milliseconds(1),
                  std::chrono::duration_cast<std::chrono::milliseconds>(d));
}

// Failures that another leader, or the same one a moment later, may not repeat.
bool WorthAnotherLeader(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
    case absl::StatusCode::kCancelled:
      return true;
    default:
      break;
  }
  const std::string_view text = Message(status);
  for (std::string_view hint : {"not leader", "no leader", "not served", "not primary"}) {
    if (text.find(hint) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

void PendingCall::Finish(absl::StatusOr<std::string> result) {
  if (std::exchange(finished, true)) return;
  std::move(done)(std::move(result));
}

struct PdChannel::Impl::Probe {
  size_t missing = 0;
  bool settled = false;
  absl::Status last_error;
};

PdChannel::Impl::Impl(PdChannelOptions options, rpc::ChannelPool* pool, Executor* strand,
                      Clock* clock)
    : options_(std::move(options)),
      pool_(pool),
      strand_(strand),
      clock_(clock),
      urls_(options_.endpoints) {}

ClusterId PdChannel::Impl::cluster_id() const {
  std::lock_guard lock(shared_mutex_);
  return cluster_id_;
}

std::string PdChannel::Impl::leader_url() const {
  std::lock_guard lock(shared_mutex_);
  return leader_url_;
}

void PdChannel::Impl::Start(std::shared_ptr<PendingCall> call) {
  if (closed_) return call->Finish(Cancelled("the PD client is closed"));
  if (channel_ != nullptr) return Send(std::move(call));
  Wait(std::move(call));
}

void PdChannel::Impl::Wait(std::shared_ptr<PendingCall> call) {
  if (waiting_.size() >= options_.max_waiting_calls) {
    return call->Finish(ResourceExhausted("too many calls wait for PD's leader"));
  }
  const Duration left = call->deadline - clock_->Now();
  if (left <= Duration::zero()) {
    return call->Finish(
        DeadlineExceeded("PD did not serve in time; last: {}", Message(call->last_error)));
  }
  call->timer = strand_->PostAfter(left, [this, self = shared_from_this(), call] {
    std::erase(waiting_, call);
    call->Finish(DeadlineExceeded("PD did not serve in time; last: {}", Message(call->last_error)));
  });
  waiting_.push_back(std::move(call));
  if (!probing_) StartProbe();
}

void PdChannel::Impl::Send(std::shared_ptr<PendingCall> call) {
  if (call->path.empty()) return call->Finish(std::string());
  const Duration left = call->deadline - clock_->Now();
  if (left <= Duration::zero()) {
    return call->Finish(DeadlineExceeded("PD did not serve {} in time; last: {}", call->path,
                                         Message(call->last_error)));
  }
  rpc::CallOptions options;
  options.timeout = Millis(std::min(left, options_.attempt_timeout));
  options.runner = strand_;
  channel_->Unary(
      call->path, call->request(cluster_id()), options,
      [self = shared_from_this(), call, leader = channel_url_](absl::StatusOr<std::string> reply) {
        self->OnReply(call, leader, std::move(reply));
      });
}

void PdChannel::Impl::OnReply(std::shared_ptr<PendingCall> call, const std::string& leader,
                              absl::StatusOr<std::string> reply) {
  if (closed_ || reply.ok() || !WorthAnotherLeader(reply.status())) {
    return call->Finish(std::move(reply));
  }
  call->last_error = reply.status();
  Suspect(leader);
  Start(std::move(call));
}

void PdChannel::Impl::Suspect(const std::string& leader) {
  if (channel_ == nullptr || channel_url_ != leader) return;
  channel_.reset();
}

void PdChannel::Impl::StartProbe() {
  if (closed_) return;
  probing_ = true;
  auto probe = std::make_shared<Probe>();
  probe->missing = urls_.size();
  pdpb::GetMembersRequest request;
  for (const std::string& url : urls_) {
    rpc::CallOptions options;
    options.timeout = Millis(options_.probe_timeout);
    options.runner = strand_;
    rpc::CallUnary<pdpb::GetMembersResponse>(
        *pool_->Get(url), kGetMembers, request, options,
        [self = shared_from_this(), probe, url](absl::StatusOr<pdpb::GetMembersResponse> reply) {
          self->OnMembers(probe, url, std::move(reply));
        });
  }
  if (urls_.empty()) {
    probe->last_error = InvalidArgument("no PD endpoint is given");
    OnProbeFailed(probe);
  }
}

void PdChannel::Impl::OnMembers(const std::shared_ptr<Probe>& probe, const std::string& url,
                                absl::StatusOr<pdpb::GetMembersResponse> reply) {
  --probe->missing;
  if (probe->settled || closed_) return;
  absl::Status status = reply.status();
  if (status.ok()) status = HeaderStatus(reply->header());
  if (status.ok() && reply->leader().client_urls().empty()) {
    status = Unavailable("{}: PD has no leader", url);
  }
  if (status.ok()) {
    probe->settled = true;
    Learn(*reply);
    return SetLeader(reply->leader().client_urls(0));
  }
  probe->last_error = std::move(status);
  if (probe->missing == 0) OnProbeFailed(probe);
}

void PdChannel::Impl::OnProbeFailed(const std::shared_ptr<Probe>& probe) {
  probe->settled = true;
  for (const auto& call : waiting_) call->last_error = probe->last_error;
  strand_->PostAfter(NextBackoff(), [self = shared_from_this()] { self->StartProbe(); });
}

void PdChannel::Impl::Learn(const pdpb::GetMembersResponse& reply) {
  std::vector<std::string> urls = options_.endpoints;
  for (const pdpb::Member& member : reply.members()) {
    for (const std::string& url : member.client_urls()) {
      if (std::find(urls.begin(), urls.end(), url) == urls.end()) urls.push_back(url);
    }
  }
  urls_ = std::move(urls);
  std::lock_guard lock(shared_mutex_);
  cluster_id_ = ClusterId(reply.header().cluster_id());
  leader_url_ = reply.leader().client_urls(0);
}

void PdChannel::Impl::SetLeader(const std::string& url) {
  probing_ = false;
  const bool changed = url != channel_url_;
  channel_url_ = url;
  channel_ = pool_->Get(url);
  if (changed) backoff_ = Duration::zero();
  if (changed) {
    for (auto& weak : streams_) {
      if (auto stream = weak.lock(); stream != nullptr) stream->Cancel();
    }
  }
  std::deque<std::shared_ptr<PendingCall>> calls;
  calls.swap(waiting_);
  // The one that was just told "not leader" by this member waits a little: a new leader needs a
  // moment to serve.
  const Duration pause = changed ? Duration::zero() : NextBackoff();
  for (auto& call : calls) {
    strand_->Cancel(call->timer);
    if (pause == Duration::zero() || call->last_error.ok()) {
      Send(std::move(call));
    } else {
      strand_->PostAfter(pause, [self = shared_from_this(), call] { self->Start(call); });
    }
  }
  OpenStreams();
}

Duration PdChannel::Impl::NextBackoff() {
  backoff_ = std::clamp(backoff_ * 2, options_.min_backoff, options_.max_backoff);
  return backoff_;
}

void PdChannel::Impl::AddStream(std::weak_ptr<LeaderStream> weak) {
  std::erase_if(streams_, [](const auto& w) { return w.expired(); });
  streams_.push_back(weak);
  auto stream = weak.lock();
  if (stream == nullptr || closed_) return;
  if (channel_ != nullptr) return OpenStream(stream);
  if (!probing_) StartProbe();
}

void PdChannel::Impl::OpenStreams() {
  for (auto& weak : streams_) {
    if (auto stream = weak.lock(); stream != nullptr && !stream->open()) OpenStream(stream);
  }
}

void PdChannel::Impl::OpenStream(const std::shared_ptr<LeaderStream>& stream) {
  if (closed_ || channel_ == nullptr) return;
  stream->Open(channel_.get(), strand_,
               [self = shared_from_this(), leader = channel_url_](const absl::Status&) {
                 // A pause, and then whoever leads: a member that refuses at once must not be
                 // asked in a tight loop.
                 self->strand_->PostAfter(self->options_.max_backoff, [self, leader] {
                   if (self->closed_) return;
                   self->Suspect(leader);
                   if (self->channel_ != nullptr) return self->OpenStreams();
                   if (!self->probing_) self->StartProbe();
                 });
               });
}

void PdChannel::Impl::Close() {
  closed_ = true;
  channel_.reset();
  for (auto& weak : streams_) {
    if (auto stream = weak.lock(); stream != nullptr) stream->Cancel();
  }
  for (auto& call : std::exchange(waiting_, {})) {
    strand_->Cancel(call->timer);
    call->Finish(Cancelled("the PD client is closed"));
  }
}

}  // namespace tikv::pdchannel
