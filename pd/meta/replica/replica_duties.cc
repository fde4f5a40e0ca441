// What is done by the clock: expiring leases, promotions, quota, compaction, truncation.
#include "lib/base/status.h"
#include "pd/meta/replica/replica.h"

namespace tikv::pd::meta {
namespace {

constexpr size_t kMaxRevocationsPerTick = 1'000;
constexpr size_t kHistoryEntriesPerTick = 1'000;
constexpr uint64_t kMinTruncation = 1'000;
// Kept in any case, so that a short absence costs no snapshot.
constexpr uint64_t kLeastKept = 16;

}  // namespace

void Replica::SubmitOwn(CommandType type, const google::protobuf::MessageLite& request) {
  const uint64_t id = NextRequestId();
  Begin(id, CallMethod::kPropose, EncodeCommand(id, type, request), 0,
        [](absl::StatusOr<Response>) {});  // Repeated by the clock if it failed.
}

void Replica::RevokeExpiredLeases() {
  // Without the lease another leader may already be keeping time.
  if (!HoldsLease()) return;
  for (int64_t id : lessor_.TakeExpired(deps_.clock->Now(), kMaxRevocationsPerTick)) {
    etcdserverpb::LeaseRevokeRequest request;
    request.set_id(id);
    SubmitOwn(CommandType::kLeaseRevoke, request);
  }
}

void Replica::PromoteCaughtUp() {
  if (node_->HasPendingConfChange()) return;
  const eraftpb::ConfState conf = node_->conf_state();
  for (uint64_t id : conf.learners()) {
    auto it = deps_.machine->members().find(id);
    if (it == deps_.machine->members().end() || it->second.islearner()) continue;
    if (!CheckMembership(MembershipOp::kPromote, it->second).ok()) continue;
    const uint64_t request = NextRequestId();
    Begin(request, CallMethod::kMembership,
          EncodeMembership({request, MembershipOp::kPromote, it->second}), 0,
          [](absl::StatusOr<Response>) {});
    return;
  }
}

void Replica::CheckQuota() {
  if (view_.no_space.load(std::memory_order_relaxed)) return;
  absl::StatusOr<engine::RangeEstimate> size = deps_.engine->Estimate(engine::Cf::kDefault, {}, {});
  if (!size.ok() || size->bytes <= options_.quota_bytes) return;
  etcdserverpb::AlarmRequest alarm;
  alarm.set_action(etcdserverpb::AlarmRequest::ACTIVATE);
  alarm.set_memberid(options_.member_id);
  alarm.set_alarm(etcdserverpb::NOSPACE);
  SubmitOwn(CommandType::kAlarm, alarm);
}

// The leader compacts what is older than the retention, in steps of a tenth of it; every member
// removes what was compacted bit by bit.
void Replica::CompactHistory() {
  if (absl::StatusOr<bool> more = deps_.machine->CompactSome(kHistoryEntriesPerTick); !more.ok()) {
    return Fail(more.status());
  } else {
    history_pending_ = *more;
  }
  if (!leading() || options_.compaction_retention <= Duration::zero()) return;
  const MonotonicTime now = deps_.clock->Now();
  if (revision_samples_.empty() ||
      now - revision_samples_.back().first >= options_.compaction_retention / 10) {
    revision_samples_.emplace_back(now, deps_.machine->revision());
  }
  int64_t target = 0;
  while (!revision_samples_.empty() &&
         now - revision_samples_.front().first >= options_.compaction_retention) {
    target = revision_samples_.front().second;
    revision_samples_.pop_front();
  }
  if (target <= deps_.machine->compact_revision()) return;
  etcdserverpb::CompactionRequest request;
  request.set_revision(target);
  SubmitOwn(CommandType::kCompaction, request);
}

void Replica::TruncateLog() {
  const uint64_t applied = deps_.machine->applied_index();
  const uint64_t truncated = deps_.log->TruncatedIndex(kRaftGroup);
  const bool large = deps_.log->Stats().disk_bytes > options_.max_log_bytes;
  const uint64_t keep = large ? kLeastKept : options_.keep_entries;
  if (applied < truncated + keep + (large ? 1 : kMinTruncation)) return;
  const uint64_t index = applied - keep;
  absl::StatusOr<uint64_t> term = deps_.log->Term(kRaftGroup, index);
  if (!term.ok()) return Fail(term.status());
  // What the log forgets, the engine must remember over a power cut.
  if (absl::Status status = deps_.engine->Sync(); !status.ok()) return Fail(status);
  raftlog::LogBatch batch;
  batch.CompactTo(kRaftGroup, index, *term);
  if (absl::Status status = deps_.log->Append(&batch, false); !status.ok()) Fail(status);
}

}  // namespace tikv::pd::meta
