// From handlers to frames.
#include <deque>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/rpc/connection.h"
#include "lib/rpc/server_state.h"
#include "lib/rpc/wire.h"

namespace tikv::rpc {
namespace {

// Output of one connection and turn.
constexpr size_t kTurnBytes = 512 << 10;

constexpr std::string_view kCodes[] = {"0", "1",  "2",  "3",  "4",  "5",  "6",  "7", "8",
                                       "9", "10", "11", "12", "13", "14", "15", "16"};

nghttp2_nv Field(std::string_view name, std::string_view value, uint8_t flags = 0) {
  auto bytes = [](std::string_view s) {
    return reinterpret_cast<uint8_t*>(const_cast<char*>(s.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), flags};
}

nghttp2_nv ConstantField(std::string_view name, std::string_view value) {
  return Field(name, value, NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE);
}

// Header fields of one submission, with the texts that they point to.
class Fields {
 public:
  void Constant(std::string_view name, std::string_view value) {
    fields_.push_back(ConstantField(name, value));
  }
  void Owned(std::string_view name, std::string value) {
    texts_.push_back(std::move(value));
    fields_.push_back(Field(name, texts_.back()));
  }
  void Add(const Metadata& metadata) {
    for (const auto& [key, value] : metadata) {
      if (key.ends_with("-bin")) {
        Owned(key, Base64Encode(value));
      } else {
        fields_.push_back(Field(key, value));
      }
    }
  }
  void Status(const absl::Status& status) {
    auto code = static_cast<size_t>(status.code());
    Constant("grpc-status", code < std::size(kCodes) ? kCodes[code] : kCodes[2]);
    if (!status.message().empty()) Owned("grpc-message", EncodeMessage(Message(status)));
    if (absl::IsUnimplemented(status)) Constant("grpc-accept-encoding", "identity,gzip");
  }
  const nghttp2_nv* data() const { return fields_.data(); }
  size_t size() const { return fields_.size(); }

 private:
  std::vector<nghttp2_nv> fields_;
  std::deque<std::string> texts_;
};

void FillPrefix(size_t message_bytes, char* prefix) {
  for (int i = 0; i < 4; ++i) prefix[1 + i] = static_cast<char>(message_bytes >> (24 - 8 * i));
}

}  // namespace

void Connection::Apply(Completion completion) {
  Call& call = *completion.call.get();
  if (call.connection == nullptr || call.connection->over()) return;
  Connection* self = call.connection;
  self->HandleCompletion(call, std::move(completion));
  self->loop_->MarkDirty(self);
}

void Connection::HandleCompletion(Call& call, Completion completion) {
  using Kind = Completion::Kind;
  switch (completion.kind) {
    case Kind::kReply:
      call.pending.fetch_add(
          completion.bytes.size() + (completion.framed ? 0 : MessageReader::kPrefixBytes),
          std::memory_order_relaxed);
      AddMessage(call, std::move(completion.bytes), completion.framed, completion.compressed);
      return EndCall(call, std::move(completion.end));
    case Kind::kSend:
      return AddMessage(call, std::move(completion.bytes), completion.framed,
                        completion.compressed);
    case Kind::kEnd:
      return EndCall(call, std::move(completion.end));
    case Kind::kInitialMetadata:
      if (call.headers_sent || call.ended || completion.end == nullptr) return;
      call.initial_metadata = std::make_unique<Metadata>(std::move(completion.end->trailers));
      return SubmitHeaders(call);
    case Kind::kPause:
      call.paused = true;
      return;
    case Kind::kResume:
      if (!std::exchange(call.paused, false)) return;
      if (call.handler != nullptr && !call.parked && !call.backlog.empty()) DeliverBacklog(call);
      return;
    case Kind::kOverflow:
      stats_.output_limit.fetch_add(1, std::memory_order_relaxed);
      call.close_reason = ResourceExhausted("the client does not read its stream");
      call.discard = true;
      return ResetStream(call, NGHTTP2_ENHANCE_YOUR_CALM);
  }
}

void Connection::AddMessage(Call& call, std::string bytes, bool framed, bool compressed) {
  OutMessage message{.bytes = std::move(bytes), .raw = framed || call.raw_body};
  message.prefix[0] = compressed ? 1 : 0;
  call.announce_gzip = call.announce_gzip || compressed;
  if (framed) {
    message.bytes[0] = 0;
    FillPrefix(message.bytes.size() - MessageReader::kPrefixBytes, message.bytes.data());
  } else if (!call.raw_body) {
    FillPrefix(message.bytes.size(), message.prefix);
  }
  const size_t size = message.size();
  if (call.ended) {
    call.pending.fetch_sub(size, std::memory_order_relaxed);
    return;
  }
  if (output_bytes_ == 0) {
    last_progress_ns_ = loop_->now_ns();
    ScheduleTick(last_progress_ns_ +
                 std::chrono::nanoseconds(limits_.output_stall_timeout).count());
  }
  output_bytes_ += size;
  stats_.output_bytes.fetch_add(size, std::memory_order_relaxed);
  call.out.Push(std::move(message));
  call.out.AddBytes(size);
  call.headers_sent ? Resume(call) : SubmitHeaders(call);
}

void Connection::EndCall(Call& call, std::unique_ptr<CallEnd> end) {
  if (call.ended) return;
  call.ended = true;
  call.end = std::move(end);
  call.headers_sent ? Resume(call) : SubmitTrailersOnly(call);
}

// Ends a call for a reason that its handler does not know of.
void Connection::EndWith(Call& call, absl::Status status) {
  if (!call.ClaimAnswer()) return;
  call.discard = true;
  if (call.handler != nullptr) {
    call.close_reason = status;
    call.MarkCancelled();
  }
  EndCall(call, std::make_unique<CallEnd>(CallEnd{std::move(status), {}}));
  loop_->MarkDirty(this);
}

void Connection::OnDeadline(Call& call) {
  stats_.deadline_exceeded.fetch_add(1, std::memory_order_relaxed);
  loop_->MarkDirty(this);
  call.discard = true;
  call.close_reason = DeadlineExceeded("deadline exceeded");
  const bool unanswered = call.ClaimAnswer();
  if (unanswered) call.MarkCancelled();
  if (unanswered && call.out.empty()) {
    EndCall(call, std::make_unique<CallEnd>(CallEnd{call.close_reason, {}}));
  } else {
    ResetStream(call, NGHTTP2_CANCEL);
  }
}

void Connection::AnswerHttp(Call& call) {
  stats_.bad_request.fetch_add(1, std::memory_order_relaxed);
  const std::string_view text = call.http_error == 405
                                    ? "method not allowed: gRPC uses POST\n"
                                    : "unsupported media type: this port speaks gRPC\n";
  call.raw_body = true;
  call.answered = true;
  call.pending.fetch_add(text.size(), std::memory_order_relaxed);
  AddMessage(call, std::string(text), false, false);
  EndCall(call, nullptr);
  loop_->MarkDirty(this);
}

void Connection::SubmitHeaders(Call& call) {
  call.headers_sent = true;
  nghttp2_data_provider provider = DataProviderOf(call);
  const bool gzip = call.announce_gzip || call.compress_from != SIZE_MAX;
  if (!call.raw_body && call.initial_metadata == nullptr && !gzip) {
    const nghttp2_nv plain[] = {ConstantField(":status", "200"),
                                ConstantField("content-type", "application/grpc")};
    nghttp2_submit_response(session_, call.stream_id, plain, std::size(plain), &provider);
    return;
  }
  Fields fields;
  if (call.raw_body) {
    fields.Owned(":status", fmt::format("{}", call.http_error));
    fields.Constant("content-type", "text/plain");
    if (call.http_error == 405) fields.Constant("allow", "POST");
  } else {
    fields.Constant(":status", "200");
    fields.Constant("content-type", "application/grpc");
    if (gzip) fields.Constant("grpc-encoding", "gzip");
    if (call.initial_metadata != nullptr) fields.Add(*call.initial_metadata);
  }
  nghttp2_submit_response(session_, call.stream_id, fields.data(), fields.size(), &provider);
}

void Connection::SubmitTrailersOnly(Call& call) {
  call.headers_sent = true;
  Fields fields;
  fields.Constant(":status", "200");
  fields.Constant("content-type", "application/grpc");
  fields.Status(call.end == nullptr ? absl::OkStatus() : call.end->status);
  if (call.end != nullptr) fields.Add(call.end->trailers);
  nghttp2_submit_response(session_, call.stream_id, fields.data(), fields.size(), nullptr);
}

void Connection::SubmitTrailers(Call& call) {
  if (call.end == nullptr) {
    const nghttp2_nv ok = ConstantField("grpc-status", "0");
    nghttp2_submit_trailer(session_, call.stream_id, &ok, 1);
    return;
  }
  Fields fields;
  fields.Status(call.end->status);
  fields.Add(call.end->trailers);
  nghttp2_submit_trailer(session_, call.stream_id, fields.data(), fields.size());
}

void Connection::Resume(Call& call) {
  if (std::exchange(call.deferred, false)) nghttp2_session_resume_data(session_, call.stream_id);
}

void Connection::ResetStream(Call& call, uint32_t error_code) {
  nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, call.stream_id, error_code);
  loop_->MarkDirty(this);
}

// nghttp2 asks how much of this stream goes into the next DATA frame.
long Connection::ProvideData(Call& call, size_t max_bytes, uint32_t* flags) {
  const size_t n = std::min(max_bytes, call.out.bytes());
  if (n == 0 && !call.ended) {
    call.deferred = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (call.ended && n == call.out.bytes()) {
    *flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!call.raw_body) {
      *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      SubmitTrailers(call);
    }
  }
  return static_cast<long>(n);
}

// nghttp2 has the frame written, straight into the loop's buffer.
int Connection::SendData(Call& call, const uint8_t* frame_header, size_t bytes) {
  constexpr size_t kFrameHeaderBytes = 9;
  std::string& buffer = loop_->write_buffer();
  if (buffer.size() >= kTurnBytes) return NGHTTP2_ERR_WOULDBLOCK;
  buffer.append(reinterpret_cast<const char*>(frame_header), kFrameHeaderBytes);
  call.out.Take(bytes, &buffer);
  output_bytes_ -= bytes;
  stats_.output_bytes.fetch_sub(bytes, std::memory_order_relaxed);
  if (bytes > 0) last_progress_ns_ = loop_->now_ns();
  const bool empty = call.pending.fetch_sub(bytes, std::memory_order_relaxed) == bytes;
  if (empty && call.handler != nullptr && !call.ended && !call.drained) {
    call.drained = true;
    drained_.emplace_back(&call);
  }
  return 0;
}

void Connection::DropOutput(Call& call) {
  output_bytes_ -= call.out.bytes();
  stats_.output_bytes.fetch_sub(call.out.bytes(), std::memory_order_relaxed);
  call.out.Clear();
  call.pending.store(0, std::memory_order_relaxed);
}

void Connection::TellDrained() {
  std::vector<CallRef> drained;
  drained.swap(drained_);
  for (CallRef& call : drained) {
    call->drained = false;
    if (call->connection == this && call->handler != nullptr && !call->ended) {
      call->handler->OnDrained();
    }
  }
}

// Fills the loop's write buffer with what nghttp2 has to say, up to about `enough` bytes.
bool Connection::GatherOutput(size_t enough) {
  std::string& buffer = loop_->write_buffer();
  buffer.clear();
  while (buffer.size() < enough) {
    const uint8_t* bytes = nullptr;
    ssize_t n = nghttp2_session_mem_send(session_, &bytes);
    if (n < 0) return false;
    if (n == 0) break;
    buffer.append(reinterpret_cast<const char*>(bytes), static_cast<size_t>(n));
  }
  return true;
}

void Connection::Flush() {
  dirty_ = false;
  if (state_ != State::kOpen || !WriteLeftover() || state_ == State::kClosed) return;
  if (!GatherOutput(kTurnBytes)) return Close(CloseReason::kProtocol);
  const std::string& buffer = loop_->write_buffer();
  const bool more = buffer.size() >= kTurnBytes;
  if (!buffer.empty() && !Write(buffer)) return;
  if (terminating_ && !more) return Linger();
  if (leftover_.empty()) {
    if (more) loop_->MarkDirty(this);
    if (nghttp2_session_want_read(session_) == 0 && nghttp2_session_want_write(session_) == 0) {
      return Linger();
    }
  }
  TellDrained();
  UnparkCalls();
  InflateSlice();
  StashRequests();
}

}  // namespace tikv::rpc
