#include "lib/engine/mem/mem_engine.h"

#include <absl/functional/function_ref.h>

#include <mutex>
#include <shared_mutex>

#include "lib/base/status.h"
#include "lib/engine/mem/sst_file.h"
#include "lib/engine/mem/versions.h"

namespace tikv::engine {
namespace {

// The maps and the sequence numbers that snapshots stand at.  Thread-safe.
class Store {
 public:
  using Lock = std::shared_lock<std::shared_mutex>;

  Lock ReadLock() const { return Lock(mutex_); }
  // REQUIRES: a lock is held.
  const Versions& family(Cf cf) const { return families_[static_cast<size_t>(cf)]; }
  uint64_t sequence() const { return sequence_; }

  // Of now (0), or of a moment that another snapshot still holds.
  uint64_t AddSnapshot(uint64_t sequence = 0) {
    std::lock_guard lock(mutex_);
    return *snapshots_.insert(sequence == 0 ? sequence_ : sequence);
  }
  void RemoveSnapshot(uint64_t sequence) {
    std::lock_guard lock(mutex_);
    snapshots_.erase(snapshots_.find(sequence));
    if (!snapshots_.empty()) return;
    for (Versions& family : families_) family.DropOld();
  }

  // Calls `change` once with a function that sets or deletes a key; all of it becomes visible
  // together.
  using Set = absl::FunctionRef<void(Cf, std::string_view, std::optional<std::string>)>;
  void Change(absl::FunctionRef<void(Set)> change) {
    std::lock_guard lock(mutex_);
    ++sequence_;
    const uint64_t newest = snapshots_.empty() ? 0 : *snapshots_.rbegin();
    change([&](Cf cf, std::string_view key, std::optional<std::string> value) {
      families_[static_cast<size_t>(cf)].Put(key, std::move(value), sequence_, newest);
    });
  }

 private:
  mutable std::shared_mutex mutex_;
  std::array<Versions, kCfCount> families_;
  uint64_t sequence_ = 1;
  std::multiset<uint64_t> snapshots_;
};

// `sequence` 0 means now.
absl::StatusOr<bool> GetAt(const Store& store, uint64_t sequence, Cf cf, std::string_view key,
                           PinnedValue* value) {
  const auto lock = store.ReadLock();
  const Versions& family = store.family(cf);
  const auto it = family.Find(key, sequence == 0 ? store.sequence() : sequence);
  value->Reset();
  if (it == family.end()) return false;
  auto* copy = value->Emplace<std::string>();
  *copy = *it->second;
  value->set_view(*copy);
  return true;
}

// Its versions cannot go while its snapshot stands, so that key and value need no copy.
class MemIterator final : public Iterator {
 public:
  // `sequence` as in AddSnapshot.
  MemIterator(Store* store, uint64_t sequence, Cf cf, IteratorOptions options)
      : store_(store),
        family_(store->family(cf)),
        sequence_(store->AddSnapshot(sequence)),
        options_(std::move(options)),
        place_(family_.end()) {}
  ~MemIterator() override { store_->RemoveSnapshot(sequence_); }
  MemIterator(const MemIterator&) = delete;
  MemIterator& operator=(const MemIterator&) = delete;

  bool Valid() const override { return valid_; }
  void SeekToFirst() override { Forward(options_.lower); }
  void SeekToLast() override { BackwardFromEnd(); }
  void Seek(std::string_view target) override {
    Forward(std::max(target, std::string_view(options_.lower)));
  }
  void SeekForPrev(std::string_view target) override {
    if (!options_.upper.empty() && target >= options_.upper) return BackwardFromEnd();
    const auto lock = store_->ReadLock();
    Settle(family_.FindPrevious(std::string(target) + '\0', sequence_));
  }
  void Next() override { Forward(std::string(key()) + '\0'); }
  void Prev() override {
    const auto lock = store_->ReadLock();
    Settle(family_.FindPrevious(place_->first.key, sequence_));
  }
  std::string_view key() const override { return place_->first.key; }
  std::string_view value() const override { return *place_->second; }
  absl::Status status() const override { return absl::OkStatus(); }

 private:
  void Forward(std::string_view from) {
    const auto lock = store_->ReadLock();
    Settle(family_.FindNext(from, sequence_));
  }
  void BackwardFromEnd() {
    const auto lock = store_->ReadLock();
    std::optional<std::string_view> before;
    if (!options_.upper.empty()) before = options_.upper;
    Settle(family_.FindPrevious(before, sequence_));
  }
  void Settle(Versions::Place place) {
    place_ = place;
    valid_ = place != family_.end() && place->first.key >= options_.lower &&
             (options_.upper.empty() || place->first.key < options_.upper);
  }

  Store* const store_;
  const Versions& family_;
  const uint64_t sequence_;
  const IteratorOptions options_;
  Versions::Place place_;
  bool valid_ = false;
};

class MemSnapshot final : public Snapshot {
 public:
  explicit MemSnapshot(std::shared_ptr<Store> store)
      : store_(std::move(store)), sequence_(store_->AddSnapshot()) {}
  ~MemSnapshot() override { store_->RemoveSnapshot(sequence_); }
  MemSnapshot(const MemSnapshot&) = delete;
  MemSnapshot& operator=(const MemSnapshot&) = delete;

  absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value,
                           const ReadOptions&) const override {
    return GetAt(*store_, sequence_, cf, key, value);
  }
  std::unique_ptr<Iterator> NewIterator(Cf cf, IteratorOptions options) const override {
    return std::make_unique<MemIterator>(store_.get(), sequence_, cf, std::move(options));
  }

 private:
  const std::shared_ptr<Store> store_;
  const uint64_t sequence_;
};

class MemEngine final : public KvEngine {
 public:
  explicit MemEngine(FileSystem* fs) : fs_(fs), store_(std::make_shared<Store>()) {}

  absl::StatusOr<bool> Get(Cf cf, std::string_view key, PinnedValue* value,
                           const ReadOptions&) const override {
    return GetAt(*store_, 0, cf, key, value);
  }
  std::unique_ptr<Iterator> NewIterator(Cf cf, IteratorOptions options) const override {
    return std::make_unique<MemIterator>(store_.get(), 0, cf, std::move(options));
  }
  std::shared_ptr<const Snapshot> GetSnapshot() const override {
    return std::make_shared<MemSnapshot>(store_);
  }

  absl::Status Write(WriteBatch* batch, const WriteOptions&) override {
    store_->Change([&](Store::Set set) {
      Writer writer(*store_, set);
      batch->ForEach(&writer);
    });
    batch->Clear();
    return absl::OkStatus();
  }

  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Flush() override { return absl::OkStatus(); }

  absl::Status DeleteFilesInRange(Cf cf, std::string_view begin, std::string_view end) override {
    store_->Change([&](Store::Set set) { Writer(*store_, set).DeleteRange(cf, begin, end); });
    return absl::OkStatus();
  }

  absl::Status CompactRange(Cf cf, std::string_view begin, std::string_view end) override {
    auto factory = filters_[static_cast<size_t>(cf)];
    auto filter = factory == nullptr ? nullptr : factory->NewFilter();
    if (filter == nullptr) return absl::OkStatus();
    std::vector<std::string> dropped;
    auto it = NewIterator(cf, {.lower = std::string(begin), .upper = std::string(end)});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      if (filter->ShouldDrop(it->key(), it->value())) dropped.emplace_back(it->key());
    }
    it.reset();
    store_->Change([&](Store::Set set) {
      for (const std::string& key : dropped) set(cf, key, std::nullopt);
    });
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<SstWriter>> NewSstWriter(Cf, const std::string& path) override {
    return NewMemSstWriter(fs_, path);
  }

  absl::Status IngestSst(Cf cf, const std::vector<std::string>& paths) override {
    std::vector<SstEntries> files;
    for (const std::string& path : paths) {
      ASSIGN_OR_RETURN(SstEntries entries, ReadMemSst(fs_, path));
      files.push_back(std::move(entries));
    }
    store_->Change([&](Store::Set set) {
      for (SstEntries& entries : files) {
        for (auto& [key, value] : entries) set(cf, key, std::move(value));
      }
    });
    for (const std::string& path : paths) RETURN_IF_ERROR(fs_->Remove(path));
    return absl::OkStatus();
  }

  absl::StatusOr<RangeEstimate> Estimate(Cf cf, std::string_view begin,
                                         std::string_view end) const override {
    RangeEstimate total;
    auto it = NewIterator(cf, {.lower = std::string(begin), .upper = std::string(end)});
    for (it->SeekToFirst(); it->Valid(); it->Next()) {
      total.bytes += it->key().size() + it->value().size();
      ++total.keys;
    }
    return total;
  }

  void SetCompactionFilter(Cf cf, std::shared_ptr<CompactionFilterFactory> factory) override {
    filters_[static_cast<size_t>(cf)] = std::move(factory);
  }
  std::vector<EngineStat> Stats() const override { return {}; }
  absl::Status background_error() const override { return absl::OkStatus(); }
  absl::Status Close() override { return absl::OkStatus(); }

 private:
  // Carries out a batch inside Store::Change.
  class Writer final : public WriteBatch::Visitor {
   public:
    Writer(const Store& store, Store::Set set) : store_(store), set_(set) {}
    void Put(Cf cf, std::string_view key, std::string_view value) override {
      set_(cf, key, std::string(value));
    }
    void Delete(Cf cf, std::string_view key) override { set_(cf, key, std::nullopt); }
    void DeleteRange(Cf cf, std::string_view begin, std::string_view end) override {
      const Versions& family = store_.family(cf);
      std::string key(begin);
      while (true) {
        const auto it = family.FindNext(key, store_.sequence());
        if (it == family.end() || (!end.empty() && it->first.key >= end)) return;
        key = it->first.key;
        set_(cf, key, std::nullopt);
      }
    }

   private:
    const Store& store_;
    const Store::Set set_;
  };

  FileSystem* const fs_;
  const std::shared_ptr<Store> store_;
  std::array<std::shared_ptr<CompactionFilterFactory>, kCfCount> filters_;
};

}  // namespace

std::unique_ptr<KvEngine> NewMemEngine(FileSystem* fs) { return std::make_unique<MemEngine>(fs); }

}  // namespace tikv::engine
