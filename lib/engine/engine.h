// KvEngine: the port to the ordered key-value store under a TiKV store or a PD member.
// Bodies: rocks/ (RocksDB), mem/ (ordered map); conformance/ holds both to this text.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "lib/engine/column_family.h"
#include "lib/engine/write_batch.h"

namespace tikv::engine {

// A value read without a copy: the view stays valid until the object is reset or destroyed, and
// pins the cache block (or holds the copy) it points into.  Reusable; must not outlive the engine.
class PinnedValue {
 public:
  PinnedValue() = default;
  PinnedValue(const PinnedValue&) = delete;
  PinnedValue& operator=(const PinnedValue&) = delete;
  ~PinnedValue() { Reset(); }

  std::string_view view() const { return view_; }
  void Reset() {
    if (destroy_ != nullptr) destroy_(storage_);
    destroy_ = nullptr;
    view_ = {};
  }

  // For engines: puts a Holder in place (no allocation); set_view when its bytes are known.
  template <class Holder>
  Holder* Emplace() {
    static_assert(sizeof(Holder) <= kRoom);
    static_assert(alignof(Holder) <= 16);
    Reset();
    destroy_ = [](void* p) { static_cast<Holder*>(p)->~Holder(); };
    return new (storage_) Holder();
  }
  void set_view(std::string_view v) { view_ = v; }

 private:
  static constexpr size_t kRoom = 128;

  std::string_view view_;
  void (*destroy_)(void*) = nullptr;
  alignas(16) std::byte storage_[kRoom];
};

// How one Get reads.
struct ReadOptions {
  bool fill_cache = true;
  // Answer from memory only: a read that would need the disk fails with Unavailable, so that an
  // event loop can try first and hand over to a thread that may block.
  bool cache_only = false;
};

// The range of an iterator and how it reads; the iterator keeps its own copy.
struct IteratorOptions {
  std::string lower;  // Included; "" = from the start.
  std::string upper;  // Excluded; "" = to the end.
  bool fill_cache = true;
  bool cache_only = false;  // As in ReadOptions; shows in status().
};

// A cursor over one column family, from the moment of its creation (or its snapshot).  Not
// thread-safe.  When Valid() turns false, status() tells the end from a failure.  Key and value
// stay valid until the next move.
class Iterator {
 public:
  virtual ~Iterator() = default;
  virtual bool Valid() const = 0;
  virtual void SeekToFirst() = 0;
  virtual void SeekToLast() = 0;
  virtual void Seek(std::string_view target) = 0;         // First key >= target.
  virtual void SeekForPrev(std::string_view target) = 0;  // Last key <= target.
  virtual void Next() = 0;                                // REQUIRES: Valid().
  virtual void Prev() = 0;                                // REQUIRES: Valid().
  virtual std::string_view key() const = 0;               // REQUIRES: Valid().
  virtual std::string_view value() const = 0;             // REQUIRES: Valid().
  virtual absl::Status status() const = 0;
};

// What an engine and a snapshot of it have in common.  Thread-safe.
class Reader {
 public:
  virtual ~Reader() = default;
  // True and the value, or false when there is none.
  virtual absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value,
                                   const ReadOptions& options) const = 0;
  virtual std::unique_ptr<Iterator> NewIterator(Cf cf, IteratorOptions options) const = 0;

  absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value) const;
  // With a copy, for callers that keep the value.
  absl::StatusOr<bool> Get(Cf cf, std::string_view key, std::string* value) const;
};

// The state at one moment; releasing the last reference frees it.  Must not outlive the engine.
class Snapshot : public Reader {};

// How durable a write is when it returns.  By default: safe from a kill, not from a power failure.
struct WriteOptions {
  bool sync = false;         // fsync the write-ahead log before answering.
  bool disable_wal = false;  // Lost by a crash unless flushed.
};

// Writes a sorted file outside the engine, to be ingested here or on another store.
class SstWriter {
 public:
  virtual ~SstWriter() = default;
  // REQUIRES: keys strictly ascending (InvalidArgument otherwise).
  virtual absl::Status Put(std::string_view key, std::string_view value) = 0;
  virtual absl::Status Delete(std::string_view key) = 0;
  virtual uint64_t byte_size() const = 0;
  virtual uint64_t entries() const = 0;
  // Completes the file and syncs it.  FailedPrecondition without entries.
  virtual absl::Status Finish() = 0;
};

// Decides, during one compaction, which values are dead.  Used by one thread at a time.
class CompactionFilter {
 public:
  virtual ~CompactionFilter() = default;
  virtual bool ShouldDrop(std::string_view key, std::string_view value) = 0;
};

// Thread-safe; outlives the engine.  The filter sees every value that a compaction rewrites, also
// those that a snapshot still shows: drop only what readers ignore anyway (expired raw values).
class CompactionFilterFactory {
 public:
  virtual ~CompactionFilterFactory() = default;
  virtual std::unique_ptr<CompactionFilter> NewFilter() = 0;  // nullptr: filter nothing.
};

// What a range holds, roughly.
struct RangeEstimate {
  uint64_t bytes = 0;  // Of keys and values, as if not compressed.
  uint64_t keys = 0;
};

// A named figure for metrics, e.g. {"block-cache-usage", 123}, {"num-files-at-level0/write", 3} or,
// counting from the start, {"rocksdb.bytes.written", 456}.
using EngineStat = std::pair<std::string, uint64_t>;

// Thread-safe.  In ranges, "" as the end means no bound.  Disk errors come back as absl::Status;
// after a failed write in the background every later write fails and background_error() says why.
class KvEngine : public Reader {
 public:
  // Applies atomically.  Leaves the batch empty with its memory kept, also on failure.
  virtual absl::Status Write(WriteBatch* batch, const WriteOptions& options) = 0;
  absl::Status Write(WriteBatch* batch) { return Write(batch, WriteOptions{}); }

  virtual std::shared_ptr<const Snapshot> GetSnapshot() const = 0;

  // Makes everything written before this call durable.
  virtual absl::Status Sync() = 0;
  // Memtables of all families to files (and so durable); waits.
  virtual absl::Status Flush() = 0;

  // Drops whole files inside the range at once, then deletes the rest; not atomic: for ranges
  // that nobody reads any more.
  virtual absl::Status DeleteFilesInRange(Cf cf, std::string_view begin, std::string_view end) = 0;
  virtual absl::Status CompactRange(Cf cf, std::string_view begin, std::string_view end) = 0;

  virtual absl::StatusOr<std::unique_ptr<SstWriter>> NewSstWriter(Cf cf,
                                                                  const std::string& path) = 0;
  // Atomic for one call; newer than everything written before.  The files are moved (linked) in
  // and gone from their paths afterwards.
  virtual absl::Status IngestSst(Cf cf, const std::vector<std::string>& paths) = 0;

  // From file properties and memtable statistics, without reading data.  Of files exact within a
  // few per cent; of what is still in memory only the order of magnitude.
  virtual absl::StatusOr<RangeEstimate> Estimate(Cf cf, std::string_view begin,
                                                 std::string_view end) const = 0;

  // Replaces the family's compaction filter (nullptr: none) for compactions that start later.
  virtual void SetCompactionFilter(Cf cf, std::shared_ptr<CompactionFilterFactory> factory) = 0;

  virtual std::vector<EngineStat> Stats() const = 0;
  // OK, or why the engine has turned read-only.
  virtual absl::Status background_error() const = 0;
  // Flushes nothing, stops background work, releases the folder.  No other call may run or follow;
  // snapshots and iterators must be gone.  The destructor closes too.
  virtual absl::Status Close() = 0;
};

// Keys that cut the range into pieces of about `piece_bytes` (keys and values), ascending,
// strictly inside the range, at most `max_keys`; none when the range is smaller.  Reads the range
// up to the last cut: for a thread that may block.
absl::StatusOr<std::vector<std::string>> SplitKeys(const Reader& reader, Cf cf,
                                                   std::string_view begin, std::string_view end,
                                                   uint64_t piece_bytes, size_t max_keys);

}  // namespace tikv::engine
