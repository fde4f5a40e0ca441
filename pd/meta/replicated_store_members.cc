// The members as PD shows them: the replicated list, and attributes under PD's own keys.
#include "lib/base/status.h"
#include "pd/meta/errors.h"
#include "pd/meta/replicated_store.h"

namespace tikv::pd::meta {
namespace {

constexpr Duration kTimer = std::chrono::seconds(1);
constexpr std::string_view kPriority = "leader_priority";
constexpr std::string_view kBinaryVersion = "binary_version";
constexpr std::string_view kGitHash = "git_hash";
constexpr std::string_view kDeployPath = "deploy_path";

bool SameUrls(const google::protobuf::RepeatedPtrField<std::string>& a,
              const std::vector<std::string>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end());
}

void SetAttribute(std::string_view name, const std::string& value, Member* member) {
  if (name == kPriority) {
    member->leader_priority = static_cast<int32_t>(std::strtol(value.c_str(), nullptr, 10));
  } else if (name == kBinaryVersion) {
    member->binary_version = value;
  } else if (name == kGitHash) {
    member->git_hash = value;
  } else if (name == kDeployPath) {
    member->deploy_path = value;
  }
}

}  // namespace

std::string ReplicatedStore::MemberRoot(MemberId id) const {
  return fmt::format("{}member/{}/", KeyRoot(cluster_id()), id);
}

Member ReplicatedStore::ToMember(const etcdserverpb::Member& m) const {
  Member member;
  member.id = m.id();
  member.name = m.name();
  member.peer_urls.assign(m.peerurls().begin(), m.peerurls().end());
  member.client_urls.assign(m.clienturls().begin(), m.clienturls().end());
  member.is_learner = m.islearner();
  return member;
}

void ReplicatedStore::ReadAttributes(std::vector<Member>* members) const {
  const std::string root = KeyRoot(cluster_id()) + "member/";
  auto found = const_cast<ReplicatedStore*>(this)->RangeLocal(KeyRange::Prefix(root), {});
  if (!found.ok()) return;
  for (const KeyValue& kv : found->kvs) {
    std::string_view rest = std::string_view(kv.key).substr(root.size());
    const size_t slash = rest.find('/');
    if (slash == std::string_view::npos) continue;
    for (Member& member : *members) {
      if (rest.substr(0, slash) == std::to_string(member.id)) {
        SetAttribute(rest.substr(slash + 1), kv.value, &member);
      }
    }
  }
}

std::vector<Member> ReplicatedStore::Members() const {
  std::vector<Member> members;
  for (const auto& [id, member] : replica_->Members()) members.push_back(ToMember(member));
  ReadAttributes(&members);
  return members;
}

Member ReplicatedStore::Self() const {
  Member self;
  self.id = options_.replica.member_id;
  self.name = options_.name;
  self.client_urls = options_.client_urls;
  self.peer_urls = options_.peer_urls;
  for (Member& member : Members()) {
    if (member.id != self.id) continue;
    self.is_learner = member.is_learner;
    self.leader_priority = member.leader_priority;
    self.peer_urls = std::move(member.peer_urls);
  }
  self.is_learner = self.is_learner || !replica_->view().voter.load(std::memory_order_acquire);
  self.binary_version = options_.binary_version;
  self.git_hash = options_.git_hash;
  self.deploy_path = options_.deploy_path;
  return self;
}

// Nobody before this member serves as one: whoever asks it for the leader takes it for ready.
std::optional<Member> ReplicatedStore::Leader() const {
  const uint64_t self = options_.replica.member_id;
  const uint64_t leader = replica_->view().leader.load(std::memory_order_acquire);
  if (leader == 0) return std::nullopt;
  if (leader == self && (leader_term() == 0 || (serves_ && !serves_()))) return std::nullopt;
  std::optional<Member> found;
  bool introduced = false;
  for (Member& member : Members()) {
    introduced = introduced || (member.id == self && !member.client_urls.empty());
    if (member.id == leader) found = std::move(member);
  }
  return introduced ? found : std::nullopt;
}

bool ReplicatedStore::IsHealthy(MemberId id) const { return replica_->IsAlive(id); }

void ReplicatedStore::RemoveMember(MemberId id, Callback<absl::Status> done) {
  etcdserverpb::Member member;
  member.set_id(id);
  replica_->ChangeMembership(
      MembershipOp::kRemove, member, [this, id, done = std::move(done)](absl::Status s) mutable {
        if (s.ok()) {
          Txn txn;
          txn.then.push_back(Op::DeleteRange(KeyRange::Prefix(MemberRoot(id))));
          Commit(std::move(txn), [](absl::StatusOr<TxnResult>) {});
        }
        std::move(done)(std::move(s));
      });
}

void ReplicatedStore::SetLeaderPriority(MemberId id, int32_t priority,
                                        Callback<absl::Status> done) {
  Txn txn;
  txn.then.push_back(Op::Put(MemberRoot(id) + std::string(kPriority), std::to_string(priority)));
  Commit(std::move(txn), [done = std::move(done)](absl::StatusOr<TxnResult> result) mutable {
    std::move(done)(result.status());
  });
}

// --- What a member does for itself, by the clock ------------------------------------------------

void ReplicatedStore::OnTimer() {
  deps_.strand->PostAfter(kTimer, [this] { OnTimer(); });
  Introduce();
  PutAttributes();
  YieldToPriority();
}

// Tells the others name and URLs, until the list of members has them.
void ReplicatedStore::Introduce() {
  if (introducing_ || replica_->view().leader == 0) return;
  const auto members = replica_->Members();
  auto it = members.find(options_.replica.member_id);
  if (it == members.end()) return;
  const etcdserverpb::Member& known = it->second;
  // Peer URLs are told once: later they may be changed from outside, by MemberUpdate.
  if (known.name() == options_.name && SameUrls(known.clienturls(), options_.client_urls) &&
      (introduced_ || SameUrls(known.peerurls(), options_.peer_urls))) {
    introduced_ = true;
    return;
  }
  etcdserverpb::Member self;
  self.set_id(options_.replica.member_id);
  self.set_name(options_.name);
  for (const std::string& url : options_.client_urls) self.add_clienturls(url);
  for (const std::string& url : options_.peer_urls) self.add_peerurls(url);
  introducing_ = true;
  replica_->Submit(CommandType::kMemberUpdate, self, 0,
                   [this](absl::StatusOr<Response>) { introducing_ = false; });
}

void ReplicatedStore::PutAttributes() {
  if (attributes_put_ || cluster_id() == 0 || replica_->view().leader == 0) return;
  attributes_put_ = true;
  const std::string root = MemberRoot(options_.replica.member_id);
  Txn txn;
  txn.then.push_back(Op::Put(root + std::string(kBinaryVersion), options_.binary_version));
  txn.then.push_back(Op::Put(root + std::string(kGitHash), options_.git_hash));
  txn.then.push_back(Op::Put(root + std::string(kDeployPath), options_.deploy_path));
  Commit(std::move(txn), [this](absl::StatusOr<TxnResult> result) {
    if (!result.ok()) attributes_put_ = false;
  });
}

// A healthy member of higher priority leads instead of us.
void ReplicatedStore::YieldToPriority() {
  const MonotonicTime now = deps_.clock->Now();
  if (!IsLeader() || now < next_priority_check_) return;
  next_priority_check_ = now + options_.priority_check_interval;
  const std::vector<Member> members = Members();
  int32_t own = 0;
  for (const Member& member : members) {
    if (member.id == options_.replica.member_id) own = member.leader_priority;
  }
  const Member* best = nullptr;
  for (const Member& member : members) {
    if (member.is_learner || member.leader_priority <= own || !IsHealthy(member.id)) continue;
    if (best == nullptr || member.leader_priority > best->leader_priority) best = &member;
  }
  if (best != nullptr) replica_->TransferLeader(best->id, [](absl::Status) {});
}

}  // namespace tikv::pd::meta
