#include "pd/meta/mvcc/state_machine.h"

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/mvcc/layout.h"
#include "pd/meta/mvcc/txn.h"
#include "pd/meta/mvcc/writer.h"

namespace tikv::pd::meta {
namespace {

using engine::Cf;

constexpr std::string_view kRevision = "revision";
constexpr std::string_view kCompactRevision = "compact_revision";
constexpr std::string_view kCompactedTo = "compacted_to";
constexpr std::string_view kAppliedIndex = "applied_index";
constexpr std::string_view kConfState = "conf_state";
constexpr std::string_view kAlarm = "alarm/";

constexpr int64_t kMaxLeaseTtlSeconds = 9'000'000'000;

void PutNumber(engine::WriteBatch* batch, std::string_view name, uint64_t number) {
  std::string value;
  PutBig64(&value, number);
  batch->Put(Cf::kDefault, StateKey(name), value);
}

absl::StatusOr<uint64_t> GetNumber(const engine::Reader& reader, std::string_view name,
                                   uint64_t missing) {
  std::string value;
  ASSIGN_OR_RETURN(bool found, reader.Get(Cf::kDefault, StateKey(name), &value));
  if (!found) return missing;
  if (value.size() != 8)
    return DataLoss("the metadata store's {} is {} bytes long", name, value.size());
  return GetBig64(value);
}

using RecordVisitor = absl::FunctionRef<absl::Status(std::string_view key, std::string_view value)>;

// Every record under the prefix, which `key` comes without.
absl::Status ForEach(const engine::Reader& reader, const std::string& prefix, RecordVisitor visit) {
  auto it = reader.NewIterator(Cf::kDefault, {.lower = prefix, .upper = PrefixEnd(prefix)});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    RETURN_IF_ERROR(visit(it->key().substr(prefix.size()), it->value()));
  }
  return it->status();
}

// A key changed at `revision`, and nobody may read below it any more: what came before goes, and
// the change itself when it was a delete.
absl::Status DropVersions(const engine::Reader& reader, const std::string& key, int64_t revision,
                          engine::WriteBatch* batch) {
  auto it = reader.NewIterator(
      Cf::kDefault,
      {.lower = DataKey(key, revision), .upper = DataKey(key, 0), .fill_cache = false});
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::optional<DataKeyParts> parts = ParseDataKey(it->key());
    std::optional<Record> record = DecodeRecord(it->value(), true);
    if (!parts || !record) return DataLoss("the metadata store's data does not parse");
    if (parts->revision < revision || record->deleted()) batch->Delete(Cf::kDefault, it->key());
  }
  return it->status();
}

template <class Request>
absl::StatusOr<Request> Parse(const Command& command) {
  Request request;
  if (!request.ParseFromString(command.payload)) {
    return DataLoss("a metadata command of type {} does not parse", static_cast<int>(command.type));
  }
  return request;
}

}  // namespace

absl::StatusOr<std::unique_ptr<StateMachine>> StateMachine::Open(engine::KvEngine* engine) {
  std::unique_ptr<StateMachine> machine(new StateMachine(engine));
  RETURN_IF_ERROR(machine->Load());
  return machine;
}

absl::Status StateMachine::Load() {
  ASSIGN_OR_RETURN(revision_, GetNumber(*engine_, kRevision, 1));
  ASSIGN_OR_RETURN(compact_revision_, GetNumber(*engine_, kCompactRevision, 0));
  ASSIGN_OR_RETURN(compacted_to_, GetNumber(*engine_, kCompactedTo, 0));
  ASSIGN_OR_RETURN(applied_index_, GetNumber(*engine_, kAppliedIndex, 0));
  next_compact_revision_ = compact_revision_;
  std::string conf;
  ASSIGN_OR_RETURN(bool found, engine_->Get(Cf::kDefault, StateKey(kConfState), &conf));
  if (found && !conf_state_.ParseFromString(conf)) {
    return DataLoss("the metadata store's configuration does not parse");
  }
  return LoadTables();
}

absl::Status StateMachine::LoadTables() {
  auto id_of = [](std::string_view key) { return key.size() == 8 ? GetBig64(key) : 0; };
  RETURN_IF_ERROR(ForEach(*engine_, std::string(1, kMemberPrefix), [&](auto key, auto value) {
    etcdserverpb::Member member;
    if (!member.ParseFromArray(value.data(), static_cast<int>(value.size()))) {
      return DataLoss("the record of member {:x} does not parse", id_of(key));
    }
    members_[id_of(key)] = std::move(member);
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEach(*engine_, std::string(1, kRemovedPrefix), [&](auto key, auto) {
    removed_.insert(id_of(key));
    return absl::OkStatus();
  }));
  RETURN_IF_ERROR(ForEach(*engine_, StateKey(kAlarm), [&](auto key, auto) {
    alarms_.insert(id_of(key));
    return absl::OkStatus();
  }));
  ASSIGN_OR_RETURN(leases_, ReadLeases(*engine_));
  return absl::OkStatus();
}

absl::Status StateMachine::Write(uint64_t index, int64_t revision) {
  PutNumber(&batch_, kAppliedIndex, index);
  if (revision != revision_) PutNumber(&batch_, kRevision, static_cast<uint64_t>(revision));
  if (next_compact_revision_ != compact_revision_) {
    PutNumber(&batch_, kCompactRevision, static_cast<uint64_t>(next_compact_revision_));
  }
  std::lock_guard lock(visible_mutex_);
  RETURN_IF_ERROR(engine_->Write(&batch_));
  applied_index_ = index;
  revision_.store(revision, std::memory_order_release);
  compact_revision_.store(next_compact_revision_, std::memory_order_release);
  return absl::OkStatus();
}

absl::StatusOr<Applied> StateMachine::Apply(uint64_t index, const Command& command) {
  batch_.Clear();
  Writer writer(*engine_, revision_, &batch_);
  absl::StatusOr<Response> response = Dispatch(command, &writer);
  if (!response.ok()) {
    if (absl::IsInternal(response.status()) || absl::IsDataLoss(response.status())) {
      return response.status();  // The disk or the log, not the request.
    }
    batch_.Clear();
    RETURN_IF_ERROR(Write(index, revision_));
    return Applied{std::move(response), {}};
  }
  RETURN_IF_ERROR(Write(index, writer.revision()));
  return Applied{std::move(response), writer.TakeEvents()};
}

absl::Status StateMachine::ApplyNothing(uint64_t index) {
  batch_.Clear();
  return Write(index, revision_);
}

absl::StatusOr<Response> StateMachine::Dispatch(const Command& command, Writer* writer) {
  switch (command.type) {
    case CommandType::kPut: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::PutRequest>(command));
      return Put(request, writer);
    }
    case CommandType::kDeleteRange: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::DeleteRangeRequest>(command));
      return DeleteRange(request, writer);
    }
    case CommandType::kTxn: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::TxnRequest>(command));
      return Txn(request, writer);
    }
    case CommandType::kCompaction: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::CompactionRequest>(command));
      return Compaction(request);
    }
    case CommandType::kLeaseGrant: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::LeaseGrantRequest>(command));
      return LeaseGrant(request);
    }
    case CommandType::kLeaseRevoke: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::LeaseRevokeRequest>(command));
      return LeaseRevoke(request, writer);
    }
    case CommandType::kAlarm: {
      ASSIGN_OR_RETURN(auto request, Parse<etcdserverpb::AlarmRequest>(command));
      return Alarm(request);
    }
    case CommandType::kMemberUpdate: {
      ASSIGN_OR_RETURN(auto member, Parse<etcdserverpb::Member>(command));
      return MemberUpdate(member);
    }
  }
  return DataLoss(
      "the log holds a metadata command of unknown type {}; it was written by a newer "
      "release",
      static_cast<int>(command.type));
}

absl::StatusOr<Response> StateMachine::Put(const etcdserverpb::PutRequest& request,
                                           Writer* writer) {
  auto has_lease = [this](int64_t id) { return HasLease(id); };
  return ExecutePut(request, {compact_revision_, has_lease}, writer);
}

absl::StatusOr<Response> StateMachine::DeleteRange(const etcdserverpb::DeleteRangeRequest& request,
                                                   Writer* writer) {
  return ExecuteDelete(request, writer);
}

absl::StatusOr<Response> StateMachine::Txn(const etcdserverpb::TxnRequest& request,
                                           Writer* writer) {
  auto has_lease = [this](int64_t id) { return HasLease(id); };
  return ExecuteTxn(request, {compact_revision_, has_lease}, writer);
}

absl::StatusOr<Response> StateMachine::Compaction(const etcdserverpb::CompactionRequest& request) {
  if (request.revision() <= compact_revision_) return ErrCompacted();
  if (request.revision() > revision_) return ErrFutureRev();
  next_compact_revision_ = request.revision();
  etcdserverpb::CompactionResponse response;
  response.mutable_header()->set_revision(revision_);
  return response;
}

absl::StatusOr<Response> StateMachine::LeaseGrant(const etcdserverpb::LeaseGrantRequest& request) {
  if (request.id() == 0) return ErrLeaseNotFound();
  if (request.ttl() > kMaxLeaseTtlSeconds) return ErrLeaseTtlTooLarge();
  if (!leases_.emplace(request.id(), request.ttl()).second) return ErrLeaseExist();
  std::string ttl;
  PutVarint(&ttl, static_cast<uint64_t>(request.ttl()));
  batch_.Put(Cf::kDefault, LeaseKey(request.id()), ttl);
  etcdserverpb::LeaseGrantResponse response;
  response.mutable_header()->set_revision(revision_);
  response.set_id(request.id());
  response.set_ttl(request.ttl());
  return response;
}

absl::StatusOr<Response> StateMachine::LeaseRevoke(const etcdserverpb::LeaseRevokeRequest& request,
                                                   Writer* writer) {
  if (!HasLease(request.id())) return ErrLeaseNotFound();
  ASSIGN_OR_RETURN(std::vector<std::string> keys, AttachedKeys(*engine_, request.id()));
  for (std::string& key : keys) {
    RETURN_IF_ERROR(writer->DeleteRange(KeyRange::Single(std::move(key))).status());
  }
  leases_.erase(request.id());
  batch_.Delete(Cf::kDefault, LeaseKey(request.id()));
  etcdserverpb::LeaseRevokeResponse response;
  response.mutable_header()->set_revision(writer->revision());
  return response;
}

absl::StatusOr<Response> StateMachine::Alarm(const etcdserverpb::AlarmRequest& request) {
  etcdserverpb::AlarmResponse response;
  response.mutable_header()->set_revision(revision_);
  auto add = [&](uint64_t member) {
    auto* alarm = response.add_alarms();
    alarm->set_memberid(member);
    alarm->set_alarm(etcdserverpb::NOSPACE);
  };
  auto key = [](uint64_t member) {
    std::string name(kAlarm);
    PutBig64(&name, member);
    return StateKey(name);
  };
  if (request.action() == etcdserverpb::AlarmRequest::ACTIVATE) {
    // The only one there is; none is what an empty request asks for.
    if (request.alarm() != etcdserverpb::NOSPACE) return response;
    alarms_.insert(request.memberid());
    batch_.Put(Cf::kDefault, key(request.memberid()), {});
    add(request.memberid());
  } else if (request.action() == etcdserverpb::AlarmRequest::DEACTIVATE) {
    if (alarms_.erase(request.memberid()) > 0) add(request.memberid());
    batch_.Delete(Cf::kDefault, key(request.memberid()));
  } else {
    for (uint64_t member : alarms_) add(member);
  }
  return response;
}

void StateMachine::PutMember(const etcdserverpb::Member& member) {
  members_[member.id()] = member;
  batch_.Put(Cf::kDefault, MemberKey(member.id()), member.SerializeAsString());
}

absl::StatusOr<Response> StateMachine::MemberUpdate(const etcdserverpb::Member& update) {
  auto it = members_.find(update.id());
  if (it == members_.end()) return ErrMemberNotFound();
  etcdserverpb::Member member = it->second;
  if (!update.name().empty()) member.set_name(update.name());
  if (update.peerurls_size() > 0) *member.mutable_peerurls() = update.peerurls();
  if (update.clienturls_size() > 0) *member.mutable_clienturls() = update.clienturls();
  PutMember(member);
  return Response();
}

absl::Status StateMachine::ApplyMembership(uint64_t index, const eraftpb::ConfState& conf_state,
                                           const MembershipChange& change) {
  batch_.Clear();
  if (change.remove != 0) {
    members_.erase(change.remove);
    removed_.insert(change.remove);
    batch_.Delete(Cf::kDefault, MemberKey(change.remove));
    batch_.Put(Cf::kDefault, RemovedKey(change.remove), {});
  }
  if (change.add) PutMember(*change.add);
  conf_state_ = conf_state;
  batch_.Put(Cf::kDefault, StateKey(kConfState), conf_state.SerializeAsString());
  return Write(index, revision_);
}

absl::Status StateMachine::Bootstrap(uint64_t index,
                                     const std::vector<etcdserverpb::Member>& members) {
  CHECK_EQ(applied_index_, 0u) << "a second bootstrap";
  batch_.Clear();
  for (const etcdserverpb::Member& member : members) {
    PutMember(member);
    conf_state_.add_voters(member.id());
  }
  batch_.Put(Cf::kDefault, StateKey(kConfState), conf_state_.SerializeAsString());
  PutNumber(&batch_, kRevision, 1);
  return Write(index, 1);
}

absl::Status StateMachine::ForceSingle(uint64_t member) {
  batch_.Clear();
  std::erase_if(members_, [&](const auto& entry) {
    if (entry.first == member) return false;
    removed_.insert(entry.first);
    batch_.Delete(Cf::kDefault, MemberKey(entry.first));
    batch_.Put(Cf::kDefault, RemovedKey(entry.first), {});
    return true;
  });
  conf_state_.Clear();
  conf_state_.add_voters(member);
  batch_.Put(Cf::kDefault, StateKey(kConfState), conf_state_.SerializeAsString());
  return Write(applied_index_, revision_);
}

absl::Status StateMachine::Replace(absl::FunctionRef<absl::Status()> fill) {
  std::lock_guard lock(visible_mutex_);
  RETURN_IF_ERROR(fill());
  conf_state_.Clear();
  members_.clear();
  removed_.clear();
  leases_.clear();
  alarms_.clear();
  return Load();
}

absl::StatusOr<bool> StateMachine::CompactSome(size_t max_entries) {
  if (compacted_to_ >= compact_revision_) return false;
  const int64_t target = compact_revision_;
  engine::WriteBatch batch;
  auto it = engine_->NewIterator(Cf::kDefault, {.lower = HistoryKey(compacted_to_, 0),
                                                .upper = HistoryKey(target + 1, 0),
                                                .fill_cache = false});
  size_t seen = 0;
  int64_t reached = target;
  for (it->SeekToFirst(); it->Valid(); it->Next()) {
    std::optional<int64_t> revision = ParseHistoryKey(it->key());
    if (!revision) return DataLoss("the metadata store's history does not parse");
    // Whole revisions only: the mark below stands for all entries of one.
    if (seen++ >= max_entries && *revision > reached) break;
    reached = *revision;
    RETURN_IF_ERROR(DropVersions(*engine_, std::string(it->value()), *revision, &batch));
    if (*revision < target) batch.Delete(Cf::kDefault, it->key());
  }
  RETURN_IF_ERROR(it->status());
  const bool more = it->Valid();
  compacted_to_ = more ? reached : target;
  PutNumber(&batch, kCompactedTo, static_cast<uint64_t>(compacted_to_));
  RETURN_IF_ERROR(engine_->Write(&batch));
  return more;
}

StateMachine::ReadView StateMachine::TakeSnapshot() const {
  std::lock_guard lock(visible_mutex_);
  return {engine_->GetSnapshot(), revision_, compact_revision_};
}

absl::StatusOr<int64_t> StateMachine::ReadView::Resolve(int64_t wanted) const {
  if (wanted <= 0) return revision;
  if (wanted > revision) return ErrFutureRev();
  if (wanted < compact_revision) return ErrCompacted();
  return wanted;
}

absl::StatusOr<std::map<int64_t, int64_t>> ReadLeases(const engine::Reader& reader) {
  std::map<int64_t, int64_t> leases;
  RETURN_IF_ERROR(ForEach(reader, std::string(1, kLeasePrefix), [&](auto key, auto value) {
    std::optional<uint64_t> ttl = GetVarint(&value);
    if (!ttl || key.size() != 8) return DataLoss("the record of a lease does not parse");
    leases[static_cast<int64_t>(GetBig64(key))] = static_cast<int64_t>(*ttl);
    return absl::OkStatus();
  }));
  return leases;
}

absl::StatusOr<std::vector<std::string>> AttachedKeys(const engine::Reader& reader, int64_t lease) {
  std::vector<std::string> keys;
  RETURN_IF_ERROR(ForEach(reader, AttachedKey(lease, {}), [&](auto key, auto) {
    keys.emplace_back(key);
    return absl::OkStatus();
  }));
  return keys;
}

}  // namespace tikv::pd::meta
