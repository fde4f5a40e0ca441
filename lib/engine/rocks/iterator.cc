#include "lib/engine/rocks/iterator.h"

#include "lib/base/status.h"
#include "lib/engine/rocks/status.h"

namespace tikv::engine {
namespace {

constexpr uint64_t kMostSkipped = 4096;

rocksdb::ReadTier Tier(bool cache_only) {
  return cache_only ? rocksdb::kBlockCacheTier : rocksdb::kReadAllTier;
}

class RocksIterator final : public Iterator {
 public:
  RocksIterator(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* cf, const rocksdb::Snapshot* snapshot,
                IteratorOptions options)
      : options_(std::move(options)),
        lower_(ToSlice(options_.lower)),
        upper_(ToSlice(options_.upper)) {
    rocksdb::ReadOptions read;
    read.snapshot = snapshot;
    read.fill_cache = options_.fill_cache;
    read.read_tier = Tier(options_.cache_only);
    // A long row of deleted keys keeps the caller as long as a disk does.
    if (options_.cache_only) read.max_skippable_internal_keys = kMostSkipped;
    if (!lower_.empty()) read.iterate_lower_bound = &lower_;
    if (!upper_.empty()) read.iterate_upper_bound = &upper_;
    it_.reset(db->NewIterator(read, cf));
  }

  bool Valid() const override { return it_->Valid(); }
  void SeekToFirst() override { it_->SeekToFirst(); }
  void SeekToLast() override { it_->SeekToLast(); }
  void Seek(std::string_view target) override { it_->Seek(ToSlice(target)); }
  void SeekForPrev(std::string_view target) override {
    // RocksDB leaves a target at or beyond the upper bound to the caller.
    if (!upper_.empty() && target >= ToView(upper_)) return it_->SeekToLast();
    it_->SeekForPrev(ToSlice(target));
  }
  void Next() override { it_->Next(); }
  void Prev() override { it_->Prev(); }
  std::string_view key() const override { return ToView(it_->key()); }
  std::string_view value() const override { return ToView(it_->value()); }
  absl::Status status() const override {
    const rocksdb::Status s = it_->status();
    return s.ok() ? absl::OkStatus() : FromRocks(s, "iterate");
  }

 private:
  const IteratorOptions options_;
  const rocksdb::Slice lower_;  // Of options_; RocksDB keeps pointers to both.
  const rocksdb::Slice upper_;
  std::unique_ptr<rocksdb::Iterator> it_;
};

}  // namespace

absl::StatusOr<bool> RocksGet(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* cf,
                              const rocksdb::Snapshot* snapshot, std::string_view key,
                              PinnedValue* value, const ReadOptions& options) {
  rocksdb::ReadOptions read;
  read.snapshot = snapshot;
  read.fill_cache = options.fill_cache;
  read.read_tier = Tier(options.cache_only);
  auto* pinned = value->Emplace<rocksdb::PinnableSlice>();
  const rocksdb::Status s = db->Get(read, cf, ToSlice(key), pinned);
  if (s.ok()) {
    value->set_view(ToView(*pinned));
    return true;
  }
  value->Reset();
  if (s.IsNotFound()) return false;
  return FromRocks(s, "get");
}

std::unique_ptr<Iterator> NewRocksIterator(rocksdb::DB* db, rocksdb::ColumnFamilyHandle* cf,
                                           const rocksdb::Snapshot* snapshot,
                                           IteratorOptions options) {
  return std::make_unique<RocksIterator>(db, cf, snapshot, std::move(options));
}

}  // namespace tikv::engine
