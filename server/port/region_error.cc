#include "server/port/region_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "lib/base/bytes.h"
#include "proto/errorpb.pb.h"

namespace tikv::server {

RegionError::RegionError(std::unique_ptr<errorpb::Error> error) : error_(std::move(error)) {}
RegionError::RegionError(RegionError&&) noexcept = default;
RegionError& RegionError::operator=(RegionError&&) noexcept = default;
RegionError::~RegionError() = default;

std::string_view RegionError::message() const { return error_->message(); }

RegionError RegionError::Clone() const {
  return error_ ? RegionError(std::make_unique<errorpb::Error>(*error_)) : RegionError();
}

RegionError RegionError::FromMessage(std::string message) {
  auto error = std::make_unique<errorpb::Error>();
  error->set_message(std::move(message));
  return RegionError(std::move(error));
}

RegionError RegionError::NotLeader(RegionId region, const metapb::Peer* leader) {
  RegionError e = FromMessage(
      leader != nullptr
          ? fmt::format("peer is not leader for region {}, leader may be peer {} of "
                        "store {}",
                        region.value, leader->id(), leader->store_id())
          : fmt::format("peer is not leader for region {}, leader unknown", region.value));
  auto* detail = e.error_->mutable_not_leader();
  detail->set_region_id(region.value);
  if (leader != nullptr) *detail->mutable_leader() = *leader;
  return e;
}

RegionError RegionError::RegionNotFound(RegionId region) {
  RegionError e = FromMessage(fmt::format("region {} not found", region.value));
  e.error_->mutable_region_not_found()->set_region_id(region.value);
  return e;
}

RegionError RegionError::KeyNotInRegion(std::string_view key, RegionId region,
                                        std::string_view start, std::string_view end) {
  RegionError e = FromMessage(fmt::format("key {} is not in region {}, key range [{}, {})",
                                          Hex(key), region.value, Hex(start), Hex(end)));
  auto* detail = e.error_->mutable_key_not_in_region();
  detail->set_key(std::string(key));
  detail->set_region_id(region.value);
  detail->set_start_key(std::string(start));
  detail->set_end_key(std::string(end));
  return e;
}

RegionError RegionError::EpochNotMatch(std::string message,
                                       const std::vector<metapb::Region>& current) {
  RegionError e = FromMessage("epoch not match: " + std::move(message));
  auto* detail = e.error_->mutable_epoch_not_match();
  for (const metapb::Region& region : current) *detail->add_current_regions() = region;
  return e;
}

RegionError RegionError::ServerIsBusy(std::string reason, uint64_t backoff_ms,
                                      uint32_t estimated_wait_ms) {
  RegionError e = FromMessage("server is busy, reason: " + reason);
  auto* detail = e.error_->mutable_server_is_busy();
  detail->set_reason(std::move(reason));
  detail->set_backoff_ms(backoff_ms);
  detail->set_estimated_wait_ms(estimated_wait_ms);
  return e;
}

RegionError RegionError::StaleCommand() {
  RegionError e = FromMessage("stale command");
  e.error_->mutable_stale_command();
  return e;
}

RegionError RegionError::StoreNotMatch(StoreId requested, StoreId actual) {
  RegionError e = FromMessage(
      fmt::format("to store id {}, mine {}: store not match", requested.value, actual.value));
  auto* detail = e.error_->mutable_store_not_match();
  detail->set_request_store_id(requested.value);
  detail->set_actual_store_id(actual.value);
  return e;
}

RegionError RegionError::MismatchPeerId(PeerId requested, PeerId actual) {
  RegionError e = FromMessage(
      fmt::format("mismatch peer id, requested {}, mine {}", requested.value, actual.value));
  auto* detail = e.error_->mutable_mismatch_peer_id();
  detail->set_request_peer_id(requested.value);
  detail->set_store_peer_id(actual.value);
  return e;
}

RegionError RegionError::RaftEntryTooLarge(RegionId region, uint64_t size) {
  RegionError e = FromMessage(
      fmt::format("raft entry is too large, region {}, entry size {}", region.value, size));
  auto* detail = e.error_->mutable_raft_entry_too_large();
  detail->set_region_id(region.value);
  detail->set_entry_size(size);
  return e;
}

RegionError RegionError::ReadIndexNotReady(RegionId region, std::string reason) {
  RegionError e =
      FromMessage(fmt::format("read index not ready, reason {}, region {}", reason, region.value));
  auto* detail = e.error_->mutable_read_index_not_ready();
  detail->set_region_id(region.value);
  detail->set_reason(std::move(reason));
  return e;
}

RegionError RegionError::DataIsNotReady(RegionId region, PeerId peer, uint64_t safe_ts) {
  RegionError e = FromMessage(fmt::format("data is not ready, region {}, peer {}, safe ts {}",
                                          region.value, peer.value, safe_ts));
  auto* detail = e.error_->mutable_data_is_not_ready();
  detail->set_region_id(region.value);
  detail->set_peer_id(peer.value);
  detail->set_safe_ts(safe_ts);
  return e;
}

RegionError RegionError::RegionNotInitialized(RegionId region) {
  RegionError e = FromMessage(fmt::format("region {} is not initialized", region.value));
  e.error_->mutable_region_not_initialized()->set_region_id(region.value);
  return e;
}

RegionError RegionError::DiskFull(const std::vector<uint64_t>& stores, std::string reason) {
  RegionError e =
      FromMessage(fmt::format("disk full, stores [{}]: {}", fmt::join(stores, ", "), reason));
  auto* detail = e.error_->mutable_disk_full();
  for (const uint64_t store : stores) detail->add_store_id(store);
  detail->set_reason(std::move(reason));
  return e;
}

}  // namespace tikv::server
