// ReplicatedEngine: the port through which storage reads and writes regions.  raftstore
// implements it; storage and service use it; neither includes the other.
#pragma once

#include "lib/base/callback.h"
#include "server/port/region_error.h"
#include "server/port/region_view.h"
#include "server/port/request_header.h"
#include "server/port/write_command.h"

namespace tikv::server {

// The answer to AsyncRead: an error or a view.
struct ReadResult {
  RegionError error;  // Empty: `view` is set.
  RegionView view;
};

// The answer to AsyncWrite.
struct WriteResult {
  RegionError error;  // Empty: committed and applied on this store.
  uint64_t index = 0;
};

// Thread-safe.  Every callback is called exactly once, inline (on refusal) or on the raft thread,
// which must not be held up: answer or post.  Queues are bounded; beyond the bound the answer is
// ServerIsBusy.
class ReplicatedEngine {
 public:
  virtual ~ReplicatedEngine() = default;

  // Grants a view on the calling thread, without hop or lock, when this store leads the region
  // under a valid lease and every field of the header fits.  False in every other case, errors
  // included: then AsyncRead finds out why or reads by quorum.  A point read takes neither a
  // snapshot nor memory in kDirect.
  virtual bool TryLocalRead(const RequestHeader& header, ReadMode mode, RegionView* view) = 0;

  // Reads through the raft thread: lease if valid, else read index (also on followers when
  // header.replica_read).  The view holds a snapshot in either mode.
  virtual void AsyncRead(const RequestHeader& header, Callback<ReadResult> done) = 0;

  // Replicates and applies the command.  An error means that nothing was or will be written,
  // except StaleCommand, after which the outcome is unknown (as in TiKV).
  // REQUIRES: the command is not empty.
  virtual void AsyncWrite(const RequestHeader& header, WriteCommand command,
                          Callback<WriteResult> done) = 0;
};

}  // namespace tikv::server
