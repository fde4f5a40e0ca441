#include "pd/core/region.h"

#include <fmt/core.h>

#include <algorithm>

#include "lib/base/bytes.h"

namespace tikv::pd {

const metapb::Peer* RegionInfo::PeerOn(StoreId store) const {
  for (const auto& p : meta.peers()) {
    if (p.store_id() == store.value) return &p;
  }
  return nullptr;
}

const metapb::Peer* RegionInfo::PeerWith(PeerId peer) const {
  for (const auto& p : meta.peers()) {
    if (p.id() == peer.value) return &p;
  }
  return nullptr;
}

bool RegionInfo::IsDown(PeerId peer) const {
  return std::any_of(down_peers.begin(), down_peers.end(),
                     [&](const auto& d) { return d.peer().id() == peer.value; });
}

bool RegionInfo::IsPending(PeerId peer) const {
  return std::any_of(pending_peers.begin(), pending_peers.end(),
                     [&](const auto& p) { return p.id() == peer.value; });
}

bool RegionInfo::InJointState() const {
  return std::any_of(meta.peers().begin(), meta.peers().end(), [](const auto& p) {
    return p.role() == metapb::IncomingVoter || p.role() == metapb::DemotingVoter;
  });
}

namespace {

// Sizes travel in bytes; a region that holds anything counts as one MiB at least, so that 0
// means "not known".
uint64_t ToMib(uint64_t bytes) {
  if (bytes == 0) return 0;
  return std::max<uint64_t>(1, bytes >> 20);
}

}  // namespace

std::shared_ptr<RegionInfo> TakeRegion(pdpb::RegionHeartbeatRequest* heartbeat) {
  auto r = std::make_shared<RegionInfo>();
  r->meta.Swap(heartbeat->mutable_region());
  r->leader.Swap(heartbeat->mutable_leader());
  for (auto& d : *heartbeat->mutable_down_peers()) r->down_peers.push_back(std::move(d));
  for (auto& p : *heartbeat->mutable_pending_peers()) r->pending_peers.push_back(std::move(p));
  r->term = heartbeat->term();
  r->approximate_size_mib = ToMib(heartbeat->approximate_size());
  r->approximate_keys = heartbeat->approximate_keys();
  r->approximate_kv_size_mib = ToMib(heartbeat->approximate_kv_size());
  r->written_bytes = heartbeat->bytes_written();
  r->written_keys = heartbeat->keys_written();
  r->read_bytes = heartbeat->bytes_read();
  r->read_keys = heartbeat->keys_read();
  const auto& q = heartbeat->query_stats();
  r->read_queries = q.get() + q.scan() + q.coprocessor();
  r->write_queries = q.put() + q.delete_() + q.deleterange() + q.prewrite() + q.commit() +
                     q.rollback() + q.acquirepessimisticlock();
  r->cpu_usage = heartbeat->cpu_usage();
  r->interval_start_s = heartbeat->interval().start_timestamp();
  r->interval_end_s = heartbeat->interval().end_timestamp();
  r->reported = true;
  return r;
}

namespace {

// The two messages share these fields, and no type.
template <class Message>
void Fill(const RegionInfo& region, Message* out) {
  *out->mutable_region() = region.meta;
  if (region.leader.id() != 0) *out->mutable_leader() = region.leader;
  for (const auto& d : region.down_peers) *out->add_down_peers() = d;
  for (const auto& p : region.pending_peers) *out->add_pending_peers() = p;
}

}  // namespace

void FillRegion(const RegionInfo& region, pdpb::Region* out) { Fill(region, out); }
void FillRegion(const RegionInfo& region, pdpb::GetRegionResponse* out) { Fill(region, out); }

std::string Describe(const RegionInfo& region) {
  const auto& e = region.meta.region_epoch();
  return fmt::format("id:{} start_key:\"{}\" end_key:\"{}\" version:{} conf_ver:{}",
                     region.meta.id(), Hex(region.start()), Hex(region.end()), e.version(),
                     e.conf_ver());
}

}  // namespace tikv::pd
