#include "lib/engine/rocks/rocks_engine.h"

#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/env.h>
#include <rocksdb/rate_limiter.h>
#include <rocksdb/sst_file_writer.h>
#include <rocksdb/statistics.h>
#include <rocksdb/table_properties.h>

#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/rocks/hooks.h"
#include "lib/engine/rocks/iterator.h"
#include "lib/engine/rocks/options.h"
#include "lib/engine/rocks/status.h"

namespace tikv::engine {
namespace {

using Handles = std::array<rocksdb::ColumnFamilyHandle*, kCfCount>;

// Lends our batch's bytes to RocksDB and takes them back: no copy either way.
class LentBatch final : public rocksdb::WriteBatch {
 public:
  explicit LentBatch(std::string rep) : rocksdb::WriteBatch(std::move(rep)) {}
  std::string TakeBack() { return std::move(rep_); }
};

class RocksSnapshot final : public Snapshot {
 public:
  RocksSnapshot(rocksdb::DB* db, const Handles& handles)
      : db_(db), handles_(handles), snapshot_(db->GetSnapshot()) {}
  ~RocksSnapshot() override { db_->ReleaseSnapshot(snapshot_); }
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;

  absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value,
                           const ReadOptions& options) const override {
    return RocksGet(db_, handles_[static_cast<size_t>(cf)], snapshot_, key, value, options);
  }
  std::unique_ptr<Iterator> NewIterator(Cf cf, IteratorOptions options) const override {
    return NewRocksIterator(db_, handles_[static_cast<size_t>(cf)], snapshot_, std::move(options));
  }

 private:
  rocksdb::DB* const db_;
  const Handles& handles_;  // The engine's, which outlives us.
  const rocksdb::Snapshot* const snapshot_;
};

class RocksSstWriter final : public SstWriter {
 public:
  RocksSstWriter(const rocksdb::Options& options, rocksdb::ColumnFamilyHandle* cf)
      : writer_(rocksdb::EnvOptions(), options, cf, /*invalidate_page_cache=*/false) {}

  absl::Status Open(const std::string& path) {
    return FromRocks(writer_.Open(path), "create sst " + path);
  }
  absl::Status Put(std::string_view key, std::string_view value) override {
    return Added(writer_.Put(ToSlice(key), ToSlice(value)));
  }
  absl::Status Delete(std::string_view key) override { return Added(writer_.Delete(ToSlice(key))); }
  uint64_t byte_size() const override {
    return const_cast<rocksdb::SstFileWriter&>(writer_).FileSize();  // Lacks a const.
  }
  uint64_t entries() const override { return entries_; }
  absl::Status Finish() override {
    if (entries_ == 0) return FailedPrecondition("an sst file needs at least one entry");
    return FromRocks(writer_.Finish(), "finish sst");
  }

 private:
  absl::Status Added(const rocksdb::Status& s) {
    if (s.ok()) ++entries_;
    return FromRocks(s, "write sst");
  }

  rocksdb::SstFileWriter writer_;
  uint64_t entries_ = 0;
};

class RocksEngine final : public RocksKvEngine {
 public:
  explicit RocksEngine(const RocksOptions& options) : options_(options) {
    for (auto& filter : filters_) filter = std::make_shared<FilterSwitch>();
  }
  ~RocksEngine() override { Close().IgnoreError(); }

  absl::Status Open();

  absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value,
                           const ReadOptions& options) const override {
    return RocksGet(db_.get(), Handle(cf), nullptr, key, value, options);
  }
  std::unique_ptr<Iterator> NewIterator(Cf cf, IteratorOptions options) const override {
    return NewRocksIterator(db_.get(), Handle(cf), nullptr, std::move(options));
  }
  std::shared_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_shared<RocksSnapshot>(db_.get(), handles_);
  }
  void SetCompactionFilter(Cf cf, std::shared_ptr<CompactionFilterFactory> factory) override {
    filters_[static_cast<size_t>(cf)]->Set(std::move(factory));
  }
  absl::Status background_error() const override { return errors_->status(); }

  absl::Status Write(WriteBatch* batch, const WriteOptions& options) override;
  absl::Status Sync() override { return FromRocks(db_->SyncWAL(), "sync"); }
  absl::Status Flush() override;
  absl::Status DeleteFilesInRange(Cf cf, std::string_view begin, std::string_view end) override;
  absl::Status CompactRange(Cf cf, std::string_view begin, std::string_view end) override;
  absl::StatusOr<std::unique_ptr<SstWriter>> NewSstWriter(Cf cf, const std::string& path) override;
  absl::Status IngestSst(Cf cf, const std::vector<std::string>& paths) override;
  absl::StatusOr<RangeEstimate> Estimate(Cf cf, std::string_view begin,
                                         std::string_view end) const override;
  std::vector<EngineStat> Stats() const override;
  absl::Status Close() override;
  absl::Status Reconfigure(const RocksOptions& options) override;

 private:
  rocksdb::ColumnFamilyHandle* Handle(Cf cf) const { return handles_[static_cast<size_t>(cf)]; }
  absl::Status CheckFamilies(const rocksdb::DBOptions& db_options) const;
  // A key beyond every key of the range, where a bound is needed and the caller has none.
  absl::StatusOr<std::string> ActualEnd(Cf cf, std::string_view end) const;
  absl::StatusOr<RangeEstimate> EstimateFiles(Cf cf, const rocksdb::Range& range) const;

  RocksOptions options_;  // Written by Reconfigure only; what others read stays as at the start.
  std::shared_ptr<rocksdb::Cache> cache_;
  std::shared_ptr<rocksdb::RateLimiter> rate_limiter_;
  std::shared_ptr<rocksdb::Statistics> statistics_;
  std::array<std::shared_ptr<FilterSwitch>, kCfCount> filters_;
  std::shared_ptr<ErrorListener> errors_ = std::make_shared<ErrorListener>();
  std::unique_ptr<rocksdb::DB> db_;
  Handles handles_{};
};

// A folder of somebody else, or of a version we do not know, is not ours to change.
absl::Status RocksEngine::CheckFamilies(const rocksdb::DBOptions& db_options) const {
  if (!rocksdb::Env::Default()->FileExists(options_.dir + "/CURRENT").ok()) {
    return absl::OkStatus();  // New.
  }
  std::vector<std::string> names;
  RETURN_IF_ERROR(FromRocks(rocksdb::DB::ListColumnFamilies(db_options, options_.dir, &names),
                            "open " + options_.dir));
  for (const std::string& name : names) {
    if (name.empty() || !CfByName(name)) {
      return FailedPrecondition("{} has a column family '{}' that this version does not know",
                                options_.dir, name);
    }
  }
  return absl::OkStatus();
}

absl::Status RocksEngine::Open() {
  rocksdb::DBOptions db_options = ToDbOptions(options_);
  db_options.listeners.push_back(errors_);
  rate_limiter_ = db_options.rate_limiter;
  statistics_ = db_options.statistics;
  cache_ = rocksdb::NewLRUCache(options_.block_cache_bytes);
  RETURN_IF_ERROR(FromRocks(rocksdb::Env::Default()->CreateDirIfMissing(options_.dir),
                            "create " + options_.dir));
  RETURN_IF_ERROR(CheckFamilies(db_options));

  std::vector<rocksdb::ColumnFamilyDescriptor> families;
  for (Cf cf : kAllCfs) {
    const auto i = static_cast<size_t>(cf);
    auto cf_options = ToCfOptions(cf, options_.cf[i], cache_);
    cf_options.compaction_filter_factory = filters_[i];
    families.emplace_back(std::string(CfName(cf)), cf_options);
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  const rocksdb::Status s = rocksdb::DB::Open(db_options, options_.dir, families, &handles, &db);
  if (s.IsIOError() && s.ToString().find("lock ") != std::string::npos) {
    return Unavailable("{} is in use by another process ({})", options_.dir, s.ToString());
  }
  RETURN_IF_ERROR(FromRocks(s, "open " + options_.dir));
  db_.reset(db);
  std::copy(handles.begin(), handles.end(), handles_.begin());
  for (Cf cf : kAllCfs) {
    // Batches name families by number.
    if (Handle(cf)->GetID() != static_cast<uint32_t>(cf)) {
      return FailedPrecondition("{} numbers column family '{}' {}, not {}", options_.dir,
                                CfName(cf), Handle(cf)->GetID(), static_cast<int>(cf));
    }
  }
  return absl::OkStatus();
}

absl::Status RocksEngine::Write(WriteBatch* batch, const WriteOptions& options) {
  rocksdb::WriteOptions write;
  write.sync = options.sync;
  write.disableWAL = options.disable_wal;
  LentBatch lent(batch->TakeRep());
  const rocksdb::Status s = db_->Write(write, &lent);
  batch->ReturnRep(lent.TakeBack());
  return s.ok() ? absl::OkStatus() : FromRocks(s, "write");
}

absl::Status RocksEngine::Flush() {
  return FromRocks(db_->Flush(rocksdb::FlushOptions(), {handles_.begin(), handles_.end()}),
                   "flush");
}

absl::StatusOr<std::string> RocksEngine::ActualEnd(Cf cf, std::string_view end) const {
  if (!end.empty()) return std::string(end);
  auto it = NewIterator(cf, {.fill_cache = false});
  it->SeekToLast();
  RETURN_IF_ERROR(it->status());
  return it->Valid() ? std::string(it->key()) + '\0' : std::string(1, '\0');
}

absl::Status RocksEngine::DeleteFilesInRange(Cf cf, std::string_view begin, std::string_view end) {
  ASSIGN_OR_RETURN(const std::string actual_end, ActualEnd(cf, end));
  const rocksdb::Slice first = ToSlice(begin), last = ToSlice(actual_end);
  RETURN_IF_ERROR(FromRocks(rocksdb::DeleteFilesInRange(db_.get(), Handle(cf), &first, &last,
                                                        /*include_end=*/false),
                            "delete files"));
  WriteBatch rest;
  rest.DeleteRange(cf, begin, actual_end);
  return rest.empty() ? absl::OkStatus() : Write(&rest, {});
}

absl::Status RocksEngine::CompactRange(Cf cf, std::string_view begin, std::string_view end) {
  rocksdb::CompactRangeOptions compact;
  compact.exclusive_manual_compaction = false;
  // Without this the last level, where dead values sit, would be left alone.
  compact.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForceOptimized;
  const rocksdb::Slice first = ToSlice(begin), last = ToSlice(end);
  return FromRocks(db_->CompactRange(compact, Handle(cf), begin.empty() ? nullptr : &first,
                                     end.empty() ? nullptr : &last),
                   "compact");
}

absl::StatusOr<std::unique_ptr<SstWriter>> RocksEngine::NewSstWriter(Cf cf,
                                                                     const std::string& path) {
  rocksdb::Options options = db_->GetOptions(Handle(cf));
  options.compression = rocksdb::kLZ4Compression;  // It travels and lands in a low level.
  options.compression_per_level.clear();
  auto writer = std::make_unique<RocksSstWriter>(options, Handle(cf));
  RETURN_IF_ERROR(writer->Open(path));
  return writer;
}

absl::Status RocksEngine::IngestSst(Cf cf, const std::vector<std::string>& paths) {
  if (paths.empty()) return absl::OkStatus();
  rocksdb::IngestExternalFileOptions ingest;
  ingest.move_files = true;
  ingest.write_global_seqno = false;  // The file may be a hard link somebody else still reads.
  RETURN_IF_ERROR(FromRocks(db_->IngestExternalFile(Handle(cf), paths, ingest), "ingest"));
  for (const std::string& path : paths) {
    // Gone already if it was linked, left over if it had to be copied.
    rocksdb::Env::Default()->DeleteFile(path).PermitUncheckedError();
  }
  return absl::OkStatus();
}

// RocksDB knows the range's bytes in files; the properties of the files it touches tell how many
// keys and uncompressed bytes stand behind one of them.
absl::StatusOr<RangeEstimate> RocksEngine::EstimateFiles(Cf cf, const rocksdb::Range& range) const {
  rocksdb::SizeApproximationOptions size_options;
  size_options.include_memtables = false;
  size_options.include_files = true;
  uint64_t in_range = 0;
  RETURN_IF_ERROR(FromRocks(
      db_->GetApproximateSizes(size_options, Handle(cf), &range, 1, &in_range), "estimate"));
  if (in_range == 0) return RangeEstimate{};
  rocksdb::TablePropertiesCollection files;
  RETURN_IF_ERROR(
      FromRocks(db_->GetPropertiesOfTablesInRange(Handle(cf), &range, 1, &files), "estimate"));
  double file_bytes = 0, raw_bytes = 0, keys = 0;
  for (const auto& [name, p] : files) {
    file_bytes += static_cast<double>(p->data_size);
    raw_bytes += static_cast<double>(p->raw_key_size + p->raw_value_size) -
                 8.0 * static_cast<double>(p->num_entries);  // Sequence number and type.
    keys += static_cast<double>(p->num_entries - p->num_deletions);
  }
  if (file_bytes == 0) return RangeEstimate{};
  const double part = std::min(1.0, static_cast<double>(in_range) / file_bytes);
  return RangeEstimate{.bytes = static_cast<uint64_t>(raw_bytes * part),
                       .keys = static_cast<uint64_t>(keys * part)};
}

absl::StatusOr<RangeEstimate> RocksEngine::Estimate(Cf cf, std::string_view begin,
                                                    std::string_view end) const {
  ASSIGN_OR_RETURN(const std::string actual_end, ActualEnd(cf, end));
  if (begin >= actual_end) return RangeEstimate{};
  const rocksdb::Range range(ToSlice(begin), ToSlice(actual_end));
  ASSIGN_OR_RETURN(RangeEstimate total, EstimateFiles(cf, range));
  uint64_t keys = 0, bytes = 0;
  db_->GetApproximateMemTableStats(Handle(cf), range, &keys, &bytes);
  total.keys += keys;
  total.bytes += bytes;
  return total;
}

std::vector<EngineStat> RocksEngine::Stats() const {
  static constexpr const char* kPerFamily[] = {
      "size-all-mem-tables",  "cur-size-all-mem-tables",    "estimate-num-keys",
      "total-sst-files-size", "live-sst-files-size",        "estimate-pending-compaction-bytes",
      "num-snapshots",        "estimate-table-readers-mem", "num-immutable-mem-table",
      "num-running-flushes",  "num-running-compactions",    "actual-delayed-write-rate",
      "is-write-stopped",     "background-errors",          "oldest-snapshot-time",
      "num-files-at-level0",  "num-files-at-level1",        "num-files-at-level2",
      "num-files-at-level3",  "num-files-at-level4",        "num-files-at-level5",
      "num-files-at-level6"};
  std::vector<EngineStat> stats = {{"block-cache-usage", cache_->GetUsage()},
                                   {"block-cache-pinned-usage", cache_->GetPinnedUsage()},
                                   {"block-cache-capacity", cache_->GetCapacity()}};
  for (Cf cf : kAllCfs) {
    for (const char* name : kPerFamily) {
      uint64_t value = 0;
      std::string text;
      const std::string property = std::string("rocksdb.") + name;
      // Level counts exist only as text.
      if (db_->GetIntProperty(Handle(cf), property, &value)) {
      } else if (db_->GetProperty(Handle(cf), property, &text)) {
        value = strtoull(text.c_str(), nullptr, 10);
      } else {
        continue;
      }
      stats.emplace_back(fmt::format("{}/{}", name, CfName(cf)), value);
    }
  }
  for (const auto& [ticker, name] : rocksdb::TickersNameMap) {
    stats.emplace_back(name, statistics_->getTickerCount(ticker));
  }
  return stats;
}

absl::Status RocksEngine::Reconfigure(const RocksOptions& options) {
  for (const RocksCfOptions& cf : options.cf) {
    // Assertions of RocksDB's, which would end the process.
    if (cf.level0_compaction_trigger > cf.level0_slowdown_trigger) {
      return InvalidArgument("level 0: the compaction trigger exceeds that of slow writes");
    }
    if (cf.write_buffer_bytes < 1 << 20) return InvalidArgument("a write buffer below 1MiB");
  }
  cache_->SetCapacity(options.block_cache_bytes);
  rate_limiter_->SetBytesPerSecond(CompactionRate(options));
  // Each of these writes a file: only where something changes.
  const auto db_changes = ChangeableDbOptions(options);
  if (db_changes != ChangeableDbOptions(options_)) {
    RETURN_IF_ERROR(FromRocks(db_->SetDBOptions(db_changes), "change options"));
  }
  for (Cf cf : kAllCfs) {
    const auto i = static_cast<size_t>(cf);
    const auto changes = ChangeableCfOptions(options.cf[i]);
    if (changes == ChangeableCfOptions(options_.cf[i])) continue;
    RETURN_IF_ERROR(FromRocks(db_->SetOptions(Handle(cf), changes), "change options"));
  }
  options_ = options;
  return absl::OkStatus();
}

absl::Status RocksEngine::Close() {
  if (db_ == nullptr) return absl::OkStatus();
  rocksdb::CancelAllBackgroundWork(db_.get(), /*wait=*/true);
  for (auto*& handle : handles_) {
    if (handle != nullptr) db_->DestroyColumnFamilyHandle(handle).PermitUncheckedError();
    handle = nullptr;
  }
  const rocksdb::Status s = db_->Close();
  db_.reset();
  return FromRocks(s, "close");
}

}  // namespace

absl::StatusOr<std::unique_ptr<RocksKvEngine>> OpenRocksEngine(const RocksOptions& options) {
  auto engine = std::make_unique<RocksEngine>(options);
  RETURN_IF_ERROR(engine->Open());
  return engine;
}

}  // namespace tikv::engine
