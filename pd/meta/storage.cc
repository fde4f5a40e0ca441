#include "pd/meta/storage.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "pd/meta/mvcc/command.h"
#include "pd/meta/replica/log_storage.h"
#include "pd/meta/replica/snapshot_file.h"

namespace tikv::pd::meta {
namespace {

constexpr std::string_view kIdentity = "identity";
// Where the log of a new cluster begins: the first state counts as its entry 1 of term 1.
constexpr uint64_t kFirstIndex = 1;
constexpr uint64_t kFirstTerm = 1;

std::string EncodeIdentity(const Identity& identity) {
  std::string out;
  PutBig64(&out, identity.member_id);
  PutBig64(&out, identity.raft_cluster_id);
  etcdserverpb::MemberListResponse list;
  for (const auto& member : identity.members) *list.add_members() = member;
  return out.append(list.SerializeAsString());
}

absl::StatusOr<Identity> DecodeIdentity(std::string_view bytes) {
  etcdserverpb::MemberListResponse list;
  if (bytes.size() < 16 ||
      !list.ParseFromArray(bytes.data() + 16, static_cast<int>(bytes.size()) - 16)) {
    return DataLoss("the record of this member's identity is damaged");
  }
  return Identity{
      GetBig64(bytes), GetBig64(bytes.substr(8)), {list.members().begin(), list.members().end()}};
}

}  // namespace

Storage::~Storage() {
  machine_ = nullptr;
  if (engine_ != nullptr) engine_->Close().IgnoreError();
  if (log_ != nullptr) log_->Close().IgnoreError();
}

std::string Storage::snapshot_dir() const { return JoinPath(dir_, "snap"); }

absl::StatusOr<std::unique_ptr<Storage>> Storage::Open(FileSystem* fs, const std::string& data_dir,
                                                       const EngineFactory& new_engine,
                                                       uint64_t seed) {
  std::unique_ptr<Storage> storage(new Storage(fs, JoinPath(data_dir, "meta")));
  RETURN_IF_ERROR(fs->CreateDirs(storage->dir_));
  RETURN_IF_ERROR(storage->OpenLog(seed));
  RETURN_IF_ERROR(storage->OpenEngine(new_engine));
  return storage;
}

absl::Status Storage::OpenLog(uint64_t seed) {
  raftlog::Options options;
  options.dir = JoinPath(dir_, "log");
  options.segment_bytes = 16 << 20;
  options.cache_bytes = 8 << 20;
  options.max_segments = 8;
  options.spare_segments = 1;
  ASSIGN_OR_RETURN(log_, raftlog::RaftLog::Open(fs_, options, Random(seed, "meta-log")));
  if (std::optional<std::string> bytes = log_->Get(kRaftGroup, kIdentity)) {
    ASSIGN_OR_RETURN(identity_, DecodeIdentity(*bytes));
  }
  return absl::OkStatus();
}

absl::Status Storage::OpenEngine(const EngineFactory& new_engine) {
  const std::string db = JoinPath(dir_, "db");
  // The identity is written last: without it nothing was promised to anybody, and what a first
  // start that crashed has left behind is of no use.
  if (!identity_) RETURN_IF_ERROR(RemoveAll(fs_, db));
  ASSIGN_OR_RETURN(engine_, new_engine(db));
  ASSIGN_OR_RETURN(InstalledSnapshot installed, FinishInstallation(fs_, engine_.get()));
  RETURN_IF_ERROR(RemoveAll(fs_, snapshot_dir()));
  ASSIGN_OR_RETURN(machine_, StateMachine::Open(engine_.get()));
  return identity_ ? Reconcile(installed.index, installed.term) : absl::OkStatus();
}

// The engine may be ahead of the log in two ways: by a snapshot that was installed just before a
// crash, and by a commit index that was not synced.
absl::Status Storage::Reconcile(uint64_t snapshot_index, uint64_t snapshot_term) {
  raftlog::LogBatch batch;
  bool begins_anew = snapshot_index > log_->LastIndex(kRaftGroup);
  if (!begins_anew && snapshot_index > log_->TruncatedIndex(kRaftGroup)) {
    ASSIGN_OR_RETURN(uint64_t term, log_->Term(kRaftGroup, snapshot_index));
    begins_anew = term != snapshot_term;
  }
  if (begins_anew) BeginLogAt(*log_, snapshot_index, snapshot_term, &batch);
  raftlog::HardState hard = log_->GetHardState(kRaftGroup);
  if (machine_->applied_index() > hard.commit) {
    hard.commit = machine_->applied_index();
    hard.term = std::max(hard.term, snapshot_term);
    batch.SetHardState(kRaftGroup, hard);
  }
  if (batch.empty()) return absl::OkStatus();
  return log_->Append(&batch, true);
}

absl::Status Storage::Initialize(Identity identity, bool bootstrap) {
  raftlog::LogBatch batch;
  if (bootstrap) {
    RETURN_IF_ERROR(machine_->Bootstrap(kFirstIndex, identity.members));
    RETURN_IF_ERROR(engine_->Sync());
    batch.CompactTo(kRaftGroup, kFirstIndex, kFirstTerm);
    batch.SetHardState(kRaftGroup, {kFirstTerm, 0, kFirstIndex});
  }
  batch.Put(kRaftGroup, kIdentity, EncodeIdentity(identity));
  RETURN_IF_ERROR(log_->Append(&batch, true));
  identity_ = std::move(identity);
  return absl::OkStatus();
}

// What the log holds as committed may have been answered, and the engine may have lost it again
// with the machine's power; memberships end here anyway.
absl::Status Storage::ApplyCommitted() {
  const uint64_t commit =
      std::min(log_->GetHardState(kRaftGroup).commit, log_->LastIndex(kRaftGroup));
  LogStorage storage(log_.get(), engine_.get(), machine_.get());
  while (machine_->applied_index() < commit) {
    std::vector<eraftpb::Entry> entries;
    const uint64_t next = machine_->applied_index() + 1;
    constexpr uint64_t kBytes = 1 << 20;
    RETURN_IF_ERROR(storage.Entries(next, commit + 1, kBytes, &entries));
    if (entries.empty()) return DataLoss("the metadata log ends before entry {}", next);
    for (const eraftpb::Entry& entry : entries) {
      if (entry.entry_type() != eraftpb::EntryNormal || entry.data().empty()) {
        RETURN_IF_ERROR(machine_->ApplyNothing(entry.index()));
        continue;
      }
      ASSIGN_OR_RETURN(Command command, DecodeCommand(entry.data()));
      RETURN_IF_ERROR(machine_->Apply(entry.index(), command).status());
    }
  }
  return absl::OkStatus();
}

absl::Status Storage::ForceNewCluster() {
  RETURN_IF_ERROR(ApplyCommitted());
  RETURN_IF_ERROR(machine_->ForceSingle(identity_->member_id));
  RETURN_IF_ERROR(engine_->Sync());
  // What is not known to be committed was perhaps never agreed on by anybody; the survivor decides
  // without it.
  const uint64_t applied = machine_->applied_index();
  ASSIGN_OR_RETURN(uint64_t term, log_->Term(kRaftGroup, applied));
  raftlog::HardState hard = log_->GetHardState(kRaftGroup);
  hard.commit = applied;
  hard.vote = 0;
  ++hard.term;
  const std::string identity = EncodeIdentity(*identity_);
  raftlog::LogBatch batch;
  batch.RemoveGroup(kRaftGroup);
  batch.CompactTo(kRaftGroup, applied, term);
  batch.SetHardState(kRaftGroup, hard);
  batch.Put(kRaftGroup, kIdentity, identity);
  return log_->Append(&batch, true);
}

uint64_t MemberIdOf(const std::string& name, const std::vector<std::string>& peer_urls,
                    const std::string& cluster_token) {
  std::vector<std::string> urls = peer_urls;
  std::sort(urls.begin(), urls.end());
  std::string text = name + '\n' + cluster_token;
  for (const std::string& url : urls) text += '\n' + url;
  const uint64_t id = XXH3_64bits(text.data(), text.size());
  return id == 0 ? 1 : id;
}

uint64_t RaftClusterIdOf(const std::vector<etcdserverpb::Member>& members) {
  std::vector<uint64_t> ids;
  for (const auto& member : members) ids.push_back(member.id());
  std::sort(ids.begin(), ids.end());
  std::string text;
  for (uint64_t id : ids) PutBig64(&text, id);
  const uint64_t id = XXH3_64bits(text.data(), text.size());
  return id == 0 ? 1 : id;
}

}  // namespace tikv::pd::meta
