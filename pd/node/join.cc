#include "pd/node/join.h"

#include <thread>

#include "lib/base/status.h"
#include "lib/rpc/typed.h"
#include "pd/meta/replica/peer_transport.h"

namespace tikv::pd {
namespace {

using etcdserverpb::Member;
using etcdserverpb::MemberListResponse;
using std::chrono::milliseconds;

constexpr milliseconds kProbeTimeout{700};
constexpr milliseconds kCallTimeout{3'000};
constexpr milliseconds kAddTimeout{10'000};
// The cluster may just be electing a leader or changing another member.
constexpr int kJoinAttempts = 20;
constexpr milliseconds kJoinRetry{500};

// A member tells its client URLs when it first runs.
bool HasStarted(const Member& member) { return member.clienturls_size() > 0; }

bool SharesUrl(const google::protobuf::RepeatedPtrField<std::string>& a,
               const std::vector<std::string>& b) {
  return std::any_of(a.begin(), a.end(), [&](const std::string& url) {
    return std::find(b.begin(), b.end(), url) != b.end();
  });
}

absl::Status CheckNotSeenBefore(const MemberListResponse& list, uint64_t id,
                                const std::string& name) {
  for (const Member& member : list.members()) {
    if (member.id() == id && HasStarted(member)) {
      return FailedPrecondition(
          "member {} has started before and its data is missing; remove it from the cluster and "
          "start it with --join",
          name);
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<MemberListResponse> ListMembers(const std::string& url, rpc::ChannelPool* channels) {
  return rpc::CallUnaryAndWait<MemberListResponse>(
      *channels->Get(url), "/etcdserverpb.Cluster/MemberList", etcdserverpb::MemberListRequest(),
      {.timeout = kCallTimeout});
}

// The id under which the cluster expects us already; 0: it does not know us.
absl::StatusOr<uint64_t> FindOurselves(const MemberListResponse& list, const NodeConfig& config) {
  const std::vector<std::string> peers = SplitCommas(config.advertise_peer_urls);
  const std::vector<std::string> clients = SplitCommas(config.advertise_client_urls);
  for (const Member& member : list.members()) {
    if (member.name() == config.name && HasStarted(member)) {
      return FailedPrecondition("missing data or join a duplicated pd: the cluster has a member {}",
                                config.name);
    }
  }
  for (const Member& member : list.members()) {
    if (!HasStarted(member)) {
      // Taken up by a start of ours that was cut short?
      if (SharesUrl(member.peerurls(), peers)) return member.id();
      return FailedPrecondition("there is a member {} that has not joined successfully",
                                member.id());
    }
    if (SharesUrl(member.clienturls(), clients)) {
      return FailedPrecondition("advertise-client-urls {} are used by member {} already",
                                config.advertise_client_urls, member.name());
    }
  }
  return 0;
}

meta::Identity MakeIdentity(uint64_t id, const etcdserverpb::ResponseHeader& header,
                            const google::protobuf::RepeatedPtrField<Member>& members) {
  return {id, header.cluster_id(), {members.begin(), members.end()}};
}

absl::StatusOr<meta::Identity> JoinBy(const std::string& url, const NodeConfig& config,
                                      rpc::ChannelPool* channels) {
  ASSIGN_OR_RETURN(MemberListResponse list, ListMembers(url, channels));
  ASSIGN_OR_RETURN(uint64_t known, FindOurselves(list, config));
  if (known != 0) return MakeIdentity(known, list.header(), list.members());
  etcdserverpb::MemberAddRequest add;
  for (const std::string& peer : SplitCommas(config.advertise_peer_urls)) add.add_peerurls(peer);
  ASSIGN_OR_RETURN(auto added, rpc::CallUnaryAndWait<etcdserverpb::MemberAddResponse>(
                                   *channels->Get(url), "/etcdserverpb.Cluster/MemberAdd", add,
                                   {.timeout = kAddTimeout}));
  return MakeIdentity(added.member().id(), added.header(), added.members());
}

}  // namespace

absl::StatusOr<meta::Identity> PrepareBootstrap(const NodeConfig& config,
                                                rpc::ChannelPool* channels) {
  ASSIGN_OR_RETURN(std::vector<InitialMember> initial, ParseInitialCluster(config.initial_cluster));
  meta::Identity identity;
  for (const InitialMember& first : initial) {
    Member& member = identity.members.emplace_back();
    member.set_id(meta::MemberIdOf(first.name, first.peer_urls, config.initial_cluster_token));
    member.set_name(first.name);
    for (const std::string& url : first.peer_urls) member.add_peerurls(url);
    if (first.name == config.name) identity.member_id = member.id();
  }
  // One that is alone need not tell anybody first; several must begin with the same state.
  if (identity.members.size() == 1) {
    for (const std::string& url : SplitCommas(config.advertise_client_urls)) {
      identity.members[0].add_clienturls(url);
    }
  }
  if (identity.member_id == 0) {
    return InvalidArgument("initial-cluster does not name this member, {}", config.name);
  }
  identity.raft_cluster_id = meta::RaftClusterIdOf(identity.members);
  for (const Member& member : identity.members) {
    if (member.id() == identity.member_id) continue;
    auto list = rpc::CallUnaryAndWait<MemberListResponse>(
        *channels->Get(member.peerurls(0)), meta::kPeerMembersPath,
        etcdserverpb::MemberListRequest(), {.timeout = kProbeTimeout});
    if (!list.ok()) continue;  // Not up yet.
    RETURN_IF_ERROR(CheckNotSeenBefore(*list, identity.member_id, config.name));
  }
  return identity;
}

absl::StatusOr<meta::Identity> PrepareJoin(const NodeConfig& config, rpc::ChannelPool* channels) {
  const std::vector<std::string> own = SplitCommas(config.advertise_client_urls);
  absl::Status last = InvalidArgument("--join names no URL");
  for (int attempt = 0; attempt < kJoinAttempts; ++attempt) {
    if (attempt > 0) std::this_thread::sleep_for(kJoinRetry);
    for (const std::string& url : SplitCommas(config.join)) {
      if (std::find(own.begin(), own.end(), url) != own.end()) {
        return InvalidArgument("--join names this member's own URL {}", url);
      }
      absl::StatusOr<meta::Identity> identity = JoinBy(url, config, channels);
      if (identity.ok()) return identity;
      last = Annotate(identity.status(), fmt::format("cannot join the cluster at {}", url));
      if (!absl::IsUnavailable(last) && !absl::IsDeadlineExceeded(last)) return last;
    }
  }
  return last;
}

}  // namespace tikv::pd
