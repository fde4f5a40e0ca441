#include "pd/tso/allocator.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::pd::tso {
namespace {

constexpr int kMaxSaveFailures = 3;
constexpr int64_t kNanosPerMilli = 1'000'000;

absl::Status NotLeader() { return Unavailable("not leader"); }

}  // namespace

Allocator::Allocator(AllocatorOptions options, Clock* clock, Executor* strand,
                     meta::MetaStore* store)
    : options_(options), clock_(clock), strand_(strand), store_(store), oracle_(options.oracle) {}

void Allocator::Start() {
  store_->AddLeaderListener(this);
  strand_->PostAfter(options_.update_interval, [this] { Tick(); });
}

absl::StatusOr<Timestamp> Allocator::Allocate(uint32_t count) {
  absl::StatusOr<Timestamp> result;
  {
    std::lock_guard lock(mutex_);
    if (count > 0 && !oracle_.serving()) return NotLeader();
    result = oracle_.Generate(count);
  }
  if (!result.ok()) {
    stats_.exhausted.fetch_add(1, std::memory_order_relaxed);
    return result;
  }
  // After the value was made: a lease that ended in between may have let another leader start
  // below it.
  if (clock_->Now() >= store_->lease_expiry()) return NotLeader();
  return result;
}

bool Allocator::IsServing() const {
  std::lock_guard lock(mutex_);
  return oracle_.serving() && clock_->Now() < store_->lease_expiry();
}

Timestamp Allocator::Current() const {
  std::lock_guard lock(mutex_);
  return oracle_.current();
}

void Allocator::OnBecomeLeader(uint64_t term) {
  strand_->Post([this, term] { Begin(term); });
}

void Allocator::OnLoseLeadership(uint64_t) {
  {
    std::lock_guard lock(mutex_);
    oracle_.End();
  }
  strand_->Post([this] {
    std::deque<Save> dropped = std::move(saves_);
    saves_.clear();
    term_ = 0;
    for (Save& save : dropped) std::move(save.done)(NotLeader());
  });
}

std::string Allocator::BoundKey() const {
  return meta::KeyRoot(store_->cluster_id()) + "timestamp";
}

absl::StatusOr<int64_t> Allocator::ReadBound() const {
  ASSIGN_OR_RETURN(meta::RangeResult found, store_->RangeLocal(meta::KeyRange::Single(BoundKey())));
  if (found.kvs.empty()) return 0;
  if (found.kvs[0].value.size() != 8) return DataLoss("the saved timestamp is not 8 bytes long");
  // Rounded up: the bound itself was never handed out, but the millisecond it lies in may have
  // been.
  return static_cast<int64_t>(GetBig64(found.kvs[0].value) / kNanosPerMilli) + 1;
}

void Allocator::Begin(uint64_t term) {
  if (store_->leader_term() != term) return;
  absl::StatusOr<int64_t> saved = ReadBound();
  if (!saved.ok()) {
    stats_.save_errors.fetch_add(1, std::memory_order_relaxed);
    return GiveUp(term);
  }
  term_ = term;
  failures_ = 0;
  tick_save_queued_ = false;
  int64_t bound;
  {
    std::lock_guard lock(mutex_);
    bound = oracle_.Begin(clock_->Wall().millis(), *saved);
  }
  Enqueue({bound, [](absl::Status) {}});
}

// Another member may do better.  When there is none, nobody else will begin for us.
void Allocator::GiveUp(uint64_t term) {
  store_->Resign([this, term](absl::Status status) {
    if (status.ok()) return;
    strand_->PostAfter(options_.update_interval, [this, term] {
      bool serving;
      {
        std::lock_guard lock(mutex_);
        serving = oracle_.serving();
      }
      if (!serving) Begin(term);
    });
  });
}

void Allocator::Tick() {
  strand_->PostAfter(options_.update_interval, [this] { Tick(); });
  if (term_ == 0) return;
  const int64_t now = clock_->Wall().millis();
  std::optional<int64_t> bound;
  {
    std::lock_guard lock(mutex_);
    if (now < oracle_.current().physical) {
      stats_.clock_behind.fetch_add(1, std::memory_order_relaxed);
    }
    bound = oracle_.Tick(now);
  }
  if (!bound || tick_save_queued_) return;
  tick_save_queued_ = true;
  Enqueue({*bound, [this](absl::Status) { tick_save_queued_ = false; }});
}

void Allocator::Reset(uint64_t ts, bool force_larger, Callback<absl::Status> done) {
  strand_->Post([this, ts, force_larger, done = std::move(done)]() mutable {
    absl::StatusOr<int64_t> bound = NotLeader();
    if (term_ != 0) {
      std::lock_guard lock(mutex_);
      bound = oracle_.PrepareReset(ts, force_larger);
    }
    if (!bound.ok()) return std::move(done)(bound.status());
    Enqueue({*bound, [this, ts, done = std::move(done)](absl::Status status) mutable {
               if (status.ok()) {
                 std::lock_guard lock(mutex_);
                 oracle_.Reset(ts);
               }
               std::move(done)(std::move(status));
             }});
  });
}

void Allocator::Enqueue(Save save) {
  saves_.push_back(std::move(save));
  if (saves_.size() == 1) WriteNext();
}

void Allocator::WriteNext() {
  if (saves_.empty()) return;
  // A save that was queued behind a larger one must not take the bound back.
  {
    std::lock_guard lock(mutex_);
    saves_.front().bound_ms = std::max(saves_.front().bound_ms, oracle_.bound_ms());
  }
  std::string value;
  PutBig64(&value, static_cast<uint64_t>(saves_.front().bound_ms * kNanosPerMilli));
  meta::Txn txn;
  txn.then.push_back(meta::Op::Put(BoundKey(), std::move(value)));
  txn.leader_term = term_;
  store_->Commit(std::move(txn), [this, term = term_](absl::StatusOr<meta::TxnResult> result) {
    strand_->Post([this, term, status = result.status()] { OnWritten(term, status); });
  });
}

void Allocator::OnWritten(uint64_t term, absl::Status status) {
  if (term != term_ || saves_.empty()) return;  // Of an earlier leadership; already answered.
  stats_.saves.fetch_add(1, std::memory_order_relaxed);
  if (status.ok()) {
    std::lock_guard lock(mutex_);
    // Under the lock, so that OnLoseLeadership's End comes last: an oracle left serving would hand
    // out old timestamps for a moment when this member leads again.
    if (store_->leader_term() == term) {
      oracle_.OnSaved(saves_.front().bound_ms);
    } else {
      status = NotLeader();
    }
  }
  if (!status.ok()) {
    stats_.save_errors.fetch_add(1, std::memory_order_relaxed);
    if (++failures_ < kMaxSaveFailures) {
      strand_->PostAfter(options_.update_interval, [this, term] {
        if (term == term_) WriteNext();
      });
      return;
    }
    failures_ = 0;
    GiveUp(term);
  } else {
    failures_ = 0;
  }
  Save done = std::move(saves_.front());
  saves_.pop_front();
  std::move(done.done)(std::move(status));
  WriteNext();
}

}  // namespace tikv::pd::tso
