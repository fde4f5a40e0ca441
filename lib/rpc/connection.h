// One accepted connection: looks at its first bytes, then speaks HTTP/2 and gRPC.
#pragma once

#include <absl/status/status.h>
#include <nghttp2/nghttp2.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "lib/rpc/call.h"
#include "lib/rpc/closed_streams.h"
#include "lib/rpc/fifo.h"
#include "lib/rpc/frame_tracker.h"
#include "lib/rpc/loop.h"
#include "lib/rpc/token_bucket.h"
#include "lib/rpc/transport.h"

namespace tikv::rpc {

// Lives on one loop, which owns it.  Its code is spread over
//   connection.cc  sockets, first bytes
//   timeouts.cc    time-outs, keepalive
//   session.cc     nghttp2's callbacks
//   request.cc     from bytes to handlers, flow control
//   inflating.cc   compressed requests
//   response.cc    from handlers to frames
class Connection final : public EventSource, public Timer {
 public:
  enum class CloseReason { kPeer, kProtocol, kLimit, kTimeout, kServerStopped, kDone };

  Connection(std::shared_ptr<ServerState> server, Loop* loop, int fd, std::string peer,
             std::string peer_ip);
  ~Connection() override;

  void Start();
  void OnEvents(uint32_t events) override;
  void OnTimer() override;  // All time-outs of the connection.
  // Writes what nghttp2 has to say; the loop calls it once per turn.
  void Flush();
  // Ends everything on the connection and retires it.  Not from within nghttp2's callbacks.
  void Close(CloseReason reason);
  // The same for a connection that ends on our decision: its peer still gets to read our last
  // words.
  void Linger();

  // GOAWAY in two steps: the first says that the connection will end, the second which streams
  // were accepted.
  void BeginDrain();
  void FinishDrain();
  // Ends an idle connection so that its client knows that nothing was lost.
  void GoAway();
  bool idle() const { return calls_ == nullptr; }
  bool lingering() const { return state_ == State::kLingering; }
  int64_t last_activity_ns() const { return last_read_ns_; }

  static void Apply(Completion completion);
  void OnDeadline(Call& call);

  // For the loop.
  size_t loop_index() const { return loop_index_; }
  void set_loop_index(size_t i) { loop_index_ = i; }
  bool TestAndSetDirty() { return std::exchange(dirty_, true); }

 private:
  friend struct SessionCallbacks;
  enum class State { kSniffing, kOpen, kLingering, kClosed };

  // connection.cc
  bool Sniff(std::string_view bytes);
  bool SniffTls();
  void HandOver(std::string bytes, bool tls);
  bool ReadOnce();
  bool OpenSession();
  bool Receive(std::string_view bytes);
  bool Feed(std::string_view bytes);
  bool FeedFrames(std::string_view bytes);
  bool Write(std::string_view bytes);
  bool WriteLeftover();
  void UpdateInterest();
  void EndSession();
  void DiscardInput();
  bool over() const { return state_ == State::kLingering || state_ == State::kClosed; }

  // timeouts.cc
  void ScheduleTick(int64_t due_ns);
  bool CheckTimeouts(int64_t* next_ns);
  bool CheckKeepalive(int64_t* next_ns);
  void CheckStalls(int64_t* next_ns);

  // session.cc
  static nghttp2_data_provider DataProviderOf(Call& call);
  int Terminate(uint32_t error_code, ServerStats::Counter& counter);
  int CheckClosedStream(int32_t stream_id);
  bool IsOpen(int32_t stream_id) const;
  void OnBeginHeaders(int32_t stream_id);
  int OnHeader(Call& call, std::string_view name, std::string_view value);
  int OnFrame(const nghttp2_frame& frame);
  void OnMalformed(Call& call);
  void OnFrameSent(const nghttp2_frame& frame);
  int OnBeginFrame(const nghttp2_frame_hd& header);
  void OnHeadersDone(Call& call, bool end_stream);
  void OnStreamClosed(Call& call, uint32_t error_code);
  int ChargeControl();
  int ChargeReset();

  // request.cc
  void StartCall(Call& call);
  void OnData(Call& call, std::string_view bytes);
  void OnEndStream(Call& call);
  void FeedUnary(Call& call, std::string_view bytes);
  void FeedStream(Call& call, std::string_view bytes);
  bool PassMessage(Call& call, std::string_view message, std::string* owned, bool compressed);
  void RunUnary(Call& call);
  void DeliverBacklog(Call& call);
  void TellHalfClose(Call& call);
  void StashRequests();
  void UnparkCalls();
  void Park(Call& call);
  bool Overloaded() const;
  void Charge(Call& call, size_t bytes);
  void Discharge(Call& call);
  void ReturnCredit(Call& call);
  void NoteIncomplete(Call& call);
  void UpdateGrant(Call& call);
  void ReleaseGrant(Call& call);
  bool TryGrant(Call& call);
  void RefuseRequest(Call& call, absl::Status status);
  static size_t HeldBytes(const Call& call);

  // inflating.cc
  bool Inflate(Call& call, std::string message, std::string* out);
  void OnBadCompression(Call& call, const absl::Status& status);
  void InflateSlice();
  void OnInflated(Call& call, std::string message);

  // response.cc
  void AddMessage(Call& call, std::string bytes, bool framed, bool compressed);
  void EndCall(Call& call, std::unique_ptr<CallEnd> end);
  void EndWith(Call& call, absl::Status status);
  void HandleCompletion(Call& call, Completion completion);
  void AnswerHttp(Call& call);
  void SubmitHeaders(Call& call);
  void SubmitTrailersOnly(Call& call);
  void SubmitTrailers(Call& call);
  void Resume(Call& call);
  void ResetStream(Call& call, uint32_t error_code);
  long ProvideData(Call& call, size_t max_bytes, uint32_t* flags);
  int SendData(Call& call, const uint8_t* frame_header, size_t bytes);
  void DropOutput(Call& call);
  void TellDrained();
  bool GatherOutput(size_t enough);

  void Link(Call* call);
  void Unlink(Call* call);

  const std::shared_ptr<ServerState> server_;
  const ServerLimits& limits_;
  ServerStats& stats_;
  Loop* const loop_;
  Transport transport_;
  const std::shared_ptr<const std::string> peer_;
  const std::string peer_ip_;

  State state_ = State::kSniffing;
  bool dirty_ = false;
  bool want_write_ = false;  // Registered for EPOLLOUT.
  bool draining_ = false;
  bool terminating_ = false;
  bool peek_later_ = false;  // TLS: the ClientHello is incomplete, look again soon.
  size_t loop_index_ = 0;
  nghttp2_session* session_ = nullptr;
  std::string sniffed_;
  size_t read_bytes_;     // Of the next read.
  std::string leftover_;  // Accepted from nghttp2, not yet by the socket.
  size_t leftover_at_ = 0;
  size_t discarded_bytes_ = 0;  // While lingering.

  Call* calls_ = nullptr;
  size_t call_count_ = 0;
  std::vector<CallRef> unstable_;  // Unary requests that lie in the read buffer.
  Fifo<CallRef> parked_;
  std::vector<CallRef> drained_;
  Fifo<CallRef> inflating_;
  Fifo<CallRef> grant_queue_;
  size_t granted_bytes_ = 0;
  size_t unfinished_bytes_ = 0;
  size_t output_bytes_ = 0;

  FrameTracker frames_;
  TokenBucket resets_;
  TokenBucket controls_;
  size_t continuations_ = 0;
  ClosedStreams closed_streams_;

  int64_t created_ns_;
  int64_t last_read_ns_;
  int64_t last_progress_ns_;  // Of output.
  int64_t mid_frame_since_ns_ = 0;
  int64_t idle_since_ns_;
  int64_t ping_sent_ns_ = 0;  // 0: none under way.
  int64_t tick_due_ns_ = INT64_MAX;
  int64_t linger_until_ns_ = 0;
  int64_t finish_drain_ns_ = 0;  // 0: nothing to finish.
};

}  // namespace tikv::rpc
