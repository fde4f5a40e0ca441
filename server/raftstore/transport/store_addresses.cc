#include "server/raftstore/transport/store_addresses.h"

#include "lib/base/status.h"
#include "server/pdclient/pd_client.h"

namespace tikv::server {
namespace {

absl::StatusOr<std::string> AddressOf(const absl::StatusOr<metapb::Store>& store) {
  if (!store.ok()) return store.status();
  if (store->state() == metapb::StoreState::Tombstone) {
    return NotFound("store {} is a tombstone", store->id());
  }
  const std::string& address =
      store->peer_address().empty() ? store->address() : store->peer_address();
  if (address.empty()) return NotFound("store {} has no address", store->id());
  return address;
}

}  // namespace

void StoreAddresses::Find(StoreId store, Callback<absl::StatusOr<std::string>> done) {
  pd_->GetStore(
      store, [this, store, done = std::move(done)](absl::StatusOr<metapb::Store> found) mutable {
        strand_->Post([this, store, done = std::move(done), address = AddressOf(found)]() mutable {
          if (address.ok()) {
            last_[store] = *address;
          } else if (const auto it = last_.find(store);
                     it != last_.end() && !absl::IsNotFound(address.status())) {
            address = it->second;
          }
          std::move(done)(std::move(address));
        });
      });
}

}  // namespace tikv::server
