#include "lib/rpc/call.h"

#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"
#include "lib/rpc/wire.h"

namespace tikv::rpc {

void MetadataStore::Add(std::string_view key, std::string_view value) {
  std::optional<std::string> decoded;
  if (key.ends_with("-bin")) {
    decoded = Base64Decode(value);
    if (decoded) value = *decoded;
  }
  if (entries_.empty()) {
    bytes_.reserve(256);
    entries_.reserve(8);
  }
  auto at = static_cast<uint32_t>(bytes_.size());
  auto key_size = static_cast<uint32_t>(key.size());
  bytes_.append(key).append(value);
  entries_.push_back({at, key_size, at + key_size, static_cast<uint32_t>(value.size())});
}

std::optional<std::string_view> MetadataStore::Find(std::string_view key) const {
  for (const Entry& e : entries_) {
    if (Key(e) == key) return Value(e);
  }
  return std::nullopt;
}

Metadata MetadataStore::Copy() const {
  Metadata copy;
  copy.reserve(entries_.size());
  for (const Entry& e : entries_) copy.emplace_back(Key(e), Value(e));
  return copy;
}

void OutQueue::Take(size_t n, std::string* out) {
  bytes_ -= n;
  while (n > 0) {
    OutMessage& m = messages_[head_];
    if (!m.raw && m.sent < sizeof(m.prefix)) {
      size_t k = std::min(n, sizeof(m.prefix) - m.sent);
      out->append(m.prefix + m.sent, k);
      m.sent += k;
      n -= k;
    }
    size_t at = m.sent - (m.raw ? 0 : sizeof(m.prefix));
    size_t k = std::min(n, m.size() - m.sent);
    if (k > 0) out->append(m.bytes, at, k);
    m.sent += k;
    n -= k;
    if (m.sent < m.size()) break;
    m.bytes = {};
    ++head_;
  }
  if (empty()) {
    messages_.clear();
    head_ = 0;
  }
}

void OutQueue::Clear() {
  messages_ = {};
  head_ = 0;
  bytes_ = 0;
}

Call::Call(std::shared_ptr<ServerState> server, std::shared_ptr<Mailbox> mailbox, const Loop* loop,
           Connection* connection, int32_t stream_id)
    : server(std::move(server)),
      mailbox(std::move(mailbox)),
      loop(loop),
      connection(connection),
      stream_id(stream_id) {
  this->server->stats.calls.fetch_add(1, std::memory_order_relaxed);
}

Call::~Call() {
  server->stats.calls.fetch_sub(1, std::memory_order_relaxed);
  if (abandoned) server->abandoned.fetch_sub(1, std::memory_order_relaxed);
}

void Call::Deliver(Completion completion) {
  if (loop->InThread()) {
    Connection::Apply(std::move(completion));
  } else {
    mailbox->Post(std::move(completion));
  }
}

void Call::MarkCancelled() {
  cancelled.store(true, std::memory_order_release);
  Task task;
  {
    std::lock_guard lock(cancel_mutex_);
    cancel_done_ = true;
    task = std::move(cancel_task_);
    cancel_task_ = nullptr;
  }
  if (task) std::move(task)();
}

void Call::SetCancelTask(Task task) {
  {
    std::lock_guard lock(cancel_mutex_);
    if (!cancel_done_) {
      std::swap(cancel_task_, task);
      return;  // The replaced task dies here, outside the lock's reach of new work.
    }
  }
  if (cancelled.load(std::memory_order_acquire)) std::move(task)();
}

void Call::DropCancelTask() {
  Task task;
  std::lock_guard lock(cancel_mutex_);
  cancel_done_ = true;
  std::swap(task, cancel_task_);
}

void Call::OnTimer() {
  if (connection != nullptr) connection->OnDeadline(*this);
}

// --- The handles of server.h.

CallRef::CallRef(Call* call) : call_(call) {
  if (call_ != nullptr) call_->AddRef();
}
CallRef::CallRef(const CallRef& other) : CallRef(other.call_) {}
CallRef::~CallRef() {
  if (call_ != nullptr) call_->Release();
}

std::string_view CallContext::path() const { return call_->path; }
std::string_view CallContext::peer() const { return *call_->peer; }
std::optional<std::string_view> CallContext::Find(std::string_view key) const {
  return call_->metadata.Find(key);
}
Metadata CallContext::metadata() const { return call_->metadata.Copy(); }
std::optional<SteadyTime> CallContext::deadline() const {
  if (call_->deadline_ns == 0) return std::nullopt;
  return SteadyTime(std::chrono::nanoseconds(call_->deadline_ns));
}
bool CallContext::cancelled() const { return call_->cancelled.load(std::memory_order_acquire); }
bool CallContext::message_compressed() const { return call_->message_compressed; }
void CallContext::CountDecodeError() const {
  call_->server->stats.decode_errors.fetch_add(1, std::memory_order_relaxed);
}
void CallContext::OnCancel(Task task) const { call_->SetCancelTask(std::move(task)); }

std::string UnaryCall::TakeRequest() {
  if (owned_ == nullptr) return std::string(request_);
  request_ = {};
  return std::move(*owned_);
}

namespace {

std::unique_ptr<CallEnd> MakeEnd(absl::Status status, Metadata trailers) {
  if (status.ok() && trailers.empty()) return nullptr;
  return std::make_unique<CallEnd>(CallEnd{std::move(status), std::move(trailers)});
}

// Has the message go out as gzip when it is to; the caller's thread does the work.
bool MaybeCompress(const Call& call, std::string* message, bool* framed) {
  const size_t from = call.compress_from.load(std::memory_order_relaxed);
  std::string_view plain = *message;
  if (*framed) plain.remove_prefix(MessageReader::kPrefixBytes);
  if (plain.size() < from) return false;
  *message = Gzip(plain);
  *framed = false;
  return true;
}

// Answers a unary call unless somebody did.
void Answer(CallRef call, Completion completion) {
  if (!call->ClaimAnswer()) return;
  call->DropCancelTask();
  Call* raw = call.get();
  completion.call = std::move(call);
  raw->Deliver(std::move(completion));
}

}  // namespace

RawResponder& RawResponder::operator=(RawResponder&& other) noexcept {
  if (this != &other) {
    RawResponder dropped(std::move(*this));
    call_ = std::move(other.call_);
  }
  return *this;
}

RawResponder::~RawResponder() {
  if (!call_ || call_->answered.load(std::memory_order_acquire)) return;
  call_->server->stats.dropped_responders.fetch_add(1, std::memory_order_relaxed);
  Fail(Internal("the server dropped the request"));
}

void RawResponder::Reply(std::string message, Metadata trailers) {
  bool framed = false;
  const bool compressed = MaybeCompress(*call_.get(), &message, &framed);
  Answer(std::exchange(call_, {}), {.kind = Completion::Kind::kReply,
                                    .compressed = compressed,
                                    .bytes = std::move(message),
                                    .end = MakeEnd(absl::OkStatus(), std::move(trailers))});
}

void RawResponder::ReplyFramed(std::string message, Metadata trailers) {
  bool framed = true;
  const bool compressed = MaybeCompress(*call_.get(), &message, &framed);
  Answer(std::exchange(call_, {}), {.kind = Completion::Kind::kReply,
                                    .framed = framed,
                                    .compressed = compressed,
                                    .bytes = std::move(message),
                                    .end = MakeEnd(absl::OkStatus(), std::move(trailers))});
}

void RawResponder::Fail(absl::Status status, Metadata trailers) {
  if (status.ok()) status = Internal("a handler failed with an OK status");
  Answer(std::exchange(call_, {}),
         {.kind = Completion::Kind::kEnd, .end = MakeEnd(std::move(status), std::move(trailers))});
}

namespace {

bool SendMessage(const CallRef& call, std::string bytes, bool framed) {
  if (call->cancelled.load(std::memory_order_acquire) ||
      call->answered.load(std::memory_order_acquire)) {
    return false;
  }
  const bool compressed = MaybeCompress(*call.get(), &bytes, &framed);
  size_t size = bytes.size() + (framed ? 0 : MessageReader::kPrefixBytes);
  size_t before = call->pending.fetch_add(size, std::memory_order_relaxed);
  Completion completion{
      .call = call, .kind = Completion::Kind::kSend, .framed = framed, .compressed = compressed};
  if (before + size > call->server->options.limits.max_output_bytes_per_stream && before > 0) {
    call->pending.fetch_sub(size, std::memory_order_relaxed);
    if (call->overflowed.exchange(true)) return false;
    completion.kind = Completion::Kind::kOverflow;
    call->Deliver(std::move(completion));
    return false;
  }
  completion.bytes = std::move(bytes);
  call->Deliver(std::move(completion));
  return true;
}

void Ask(const CallRef& call, Completion::Kind kind) {
  call->Deliver({.call = call, .kind = kind});
}

}  // namespace

bool ServerStream::Send(std::string message) const {
  return SendMessage(call_, std::move(message), false);
}
bool ServerStream::SendFramed(std::string framed) const {
  return SendMessage(call_, std::move(framed), true);
}
void ServerStream::SendInitialMetadata(Metadata metadata) const {
  call_->Deliver({.call = call_,
                  .kind = Completion::Kind::kInitialMetadata,
                  .end = MakeEnd(absl::OkStatus(), std::move(metadata))});
}
void ServerStream::Finish(absl::Status status, Metadata trailers) const {
  Answer(call_,
         {.kind = Completion::Kind::kEnd, .end = MakeEnd(std::move(status), std::move(trailers))});
}
size_t ServerStream::pending_bytes() const {
  return call_->pending.load(std::memory_order_relaxed);
}
void ServerStream::Compress(bool on) const {
  call_->compress_from.store(on && call_->accepts_gzip ? 0 : SIZE_MAX, std::memory_order_relaxed);
}
void ServerStream::Pause() const { Ask(call_, Completion::Kind::kPause); }
void ServerStream::Resume() const { Ask(call_, Completion::Kind::kResume); }

}  // namespace tikv::rpc
