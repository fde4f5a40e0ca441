#include "pd/core/store.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <tuple>

#include "lib/base/status.h"

namespace tikv::pd {
namespace {

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](char x, char y) { return std::tolower(x) == std::tolower(y); });
}

// Sets or adds one label of the descriptor; an empty value removes it.
void MergeLabel(metapb::Store* store, const std::string& key, const std::string& value) {
  auto* labels = store->mutable_labels();
  auto it = std::find_if(labels->begin(), labels->end(),
                         [&](const auto& l) { return EqualIgnoringCase(l.key(), key); });
  if (it != labels->end() && value.empty()) {
    labels->erase(it);
  } else if (it != labels->end()) {
    it->set_value(value);
  } else if (!value.empty()) {
    auto* l = store->add_labels();
    l->set_key(key);
    l->set_value(value);
  }
}

absl::Status NoSuchStore(StoreId id) {
  return NotFound("[PD:core:ErrStoreNotFound]store {} not found", id.value);
}

absl::Status Gone(StoreId id) {
  return OutOfRange("[PD:core:ErrStoreRemoved]store {} has been removed", id.value);
}

std::optional<uint64_t> Number(std::string_view text) {
  uint64_t v = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return v;
}

}  // namespace

std::string_view StoreInfo::Label(std::string_view key) const {
  for (const auto& l : meta.labels()) {
    if (EqualIgnoringCase(l.key(), key)) return l.value();
  }
  return {};
}

void StoreInfo::KeepVolatile(const StoreInfo& old) {
  stats = old.stats;
  pause_leader_in = old.pause_leader_in;
  pause_leader_out = old.pause_leader_out;
  slow_evicted = old.slow_evicted;
  meta.set_last_heartbeat(std::max(meta.last_heartbeat(), old.meta.last_heartbeat()));
}

int64_t StoreInfo::uptime_s() const {
  const int64_t last = heartbeat_ms() / 1000;
  return meta.start_timestamp() > 0 && last > meta.start_timestamp() ? last - meta.start_timestamp()
                                                                     : 0;
}

std::string_view StoreInfo::StateName(int64_t now_ms, int64_t max_down_ms) const {
  if (removed()) return "Tombstone";
  if (removing()) return "Offline";
  if (silent_ms(now_ms) > max_down_ms) return "Down";
  if (disconnected(now_ms)) return "Disconnected";
  return "Up";
}

bool StoreInfo::LowSpace(double low_space_ratio, size_t cluster_regions) const {
  if (stats.capacity() == 0) return false;  // Nothing reported yet.
  constexpr uint64_t kSmallClusterFree = 8ULL << 30;
  if (cluster_regions < 100 && stats.available() > kSmallClusterFree) return false;
  const double free = static_cast<double>(stats.available()) / stats.capacity();
  return free < 1 - low_space_ratio;
}

absl::StatusOr<Version> Version::Parse(std::string_view text) {
  std::string_view rest = text;
  if (!rest.empty() && (rest[0] == 'v' || rest[0] == 'V')) rest.remove_prefix(1);
  Version v;
  rest = rest.substr(0, rest.find('+'));
  if (auto dash = rest.find('-'); dash != rest.npos) {
    v.suffix = rest.substr(dash + 1);
    rest = rest.substr(0, dash);
  }
  uint64_t* const parts[] = {&v.major, &v.minor, &v.patch};
  for (int i = 0; i < 3; ++i) {
    auto dot = i < 2 ? rest.find('.') : rest.size();
    if (dot == rest.npos) return InvalidArgument("{} is not in dotted-tri format", text);
    auto n = Number(rest.substr(0, dot));
    if (!n) return InvalidArgument("strconv.ParseInt: parsing \"{}\": invalid syntax", text);
    *parts[i] = *n;
    rest.remove_prefix(std::min(rest.size(), dot + 1));
  }
  return v;
}

bool operator<(const Version& a, const Version& b) {
  return std::tie(a.major, a.minor, a.patch) < std::tie(b.major, b.minor, b.patch);
}

bool Version::CompatibleWith(const Version& cluster) const {
  return cluster < *this || (major == cluster.major && minor == cluster.minor);
}

std::string Version::Text() const {
  std::string out = fmt::format("{}.{}.{}", major, minor, patch);
  return suffix.empty() ? out : out + "-" + suffix;
}

const StoreInfo* StoreTable::Find(StoreId id) const {
  auto it = stores_.find(id.value);
  return it == stores_.end() ? nullptr : &it->second;
}

StoreInfo* StoreTable::FindMutable(StoreId id) {
  auto it = stores_.find(id.value);
  return it == stores_.end() ? nullptr : &it->second;
}

absl::StatusOr<StoreInfo*> StoreTable::Get(StoreId id) {
  StoreInfo* s = FindMutable(id);
  if (s == nullptr) return NoSuchStore(id);
  return s;
}

size_t StoreTable::up_count() const {
  return std::count_if(stores_.begin(), stores_.end(), [](const auto& s) { return s.second.up(); });
}

std::optional<Version> StoreTable::LowestVersion() const {
  std::optional<Version> lowest;
  for (const auto& [id, s] : stores_) {
    if (s.removed()) continue;
    auto v = Version::Parse(s.meta.version());
    if (v.ok() && (!lowest || *v < *lowest)) lowest = *v;
  }
  return lowest;
}

void StoreTable::Load(metapb::Store store) {
  StoreInfo& s = stores_[store.id()];
  s.meta = std::move(store);
  s.persisted_heartbeat_ms = s.heartbeat_ms();
}

absl::StatusOr<const StoreInfo*> StoreTable::Put(const metapb::Store& store,
                                                 const Version& cluster_version, int64_t now_ms) {
  if (store.id() == 0) return InvalidArgument("invalid put store {}", store.ShortDebugString());
  if (store.address().size() > 1024 || store.labels_size() > 256) {
    return InvalidArgument("invalid put store {}: address or labels too long", store.id());
  }
  ASSIGN_OR_RETURN(Version version, Version::Parse(store.version()));
  if (!version.CompatibleWith(cluster_version)) {
    return InvalidArgument("version should compatible with version  {}, got {}",
                           cluster_version.Text(), version.Text());
  }
  if (const StoreInfo* known = Find(StoreId(store.id())); known != nullptr && known->removed()) {
    return OutOfRange("store is tombstone");
  }
  for (const auto& [id, other] : stores_) {
    if (id == store.id() || other.removed() || other.meta.address() != store.address()) continue;
    // A destroyed machine may come back under its old address as a new store.
    if (other.removing() && other.meta.physically_destroyed()) continue;
    return FailedPrecondition("duplicated store address: {}, already registered by {}",
                              store.ShortDebugString(), other.meta.ShortDebugString());
  }
  for (const auto& l : store.labels()) RETURN_IF_ERROR(CheckLabel(l.key(), l.value()));

  auto [it, fresh] = stores_.try_emplace(store.id());
  StoreInfo& s = it->second;
  if (fresh) {
    s.meta = store;
    s.meta.set_state(metapb::Up);
    s.meta.set_node_state(metapb::Preparing);
    s.meta.set_physically_destroyed(false);
    if (s.meta.last_heartbeat() == 0) s.meta.set_last_heartbeat(now_ms * 1'000'000);
    return &s;
  }
  s.meta.set_address(store.address());
  s.meta.set_version(store.version());
  s.meta.set_peer_address(store.peer_address());
  s.meta.set_status_address(store.status_address());
  s.meta.set_git_hash(store.git_hash());
  s.meta.set_deploy_path(store.deploy_path());
  s.meta.set_start_timestamp(store.start_timestamp());
  for (const auto& l : store.labels()) MergeLabel(&s.meta, l.key(), l.value());
  return &s;
}

absl::Status StoreTable::Heartbeat(const pdpb::StoreStats& stats, int64_t now_ms) {
  StoreInfo* s = FindMutable(StoreId(stats.store_id()));
  if (s == nullptr) return NotFound("store {} not found", stats.store_id());
  if (s->removed()) return OutOfRange("store is tombstone");
  s->stats = stats;
  s->meta.set_last_heartbeat(now_ms * 1'000'000);
  if (s->meta.start_timestamp() == 0) s->meta.set_start_timestamp(stats.start_time());
  return absl::OkStatus();
}

absl::Status StoreTable::Remove(StoreId id, bool destroyed, uint64_t needed) {
  ASSIGN_OR_RETURN(StoreInfo * s, Get(id));
  if (s->removed()) return Gone(id);
  if (s->removing()) {
    // Only the force flag may be added later.
    if (destroyed) s->meta.set_physically_destroyed(true);
    return absl::OkStatus();
  }
  if (!destroyed && up_count() - 1 < needed) {
    return FailedPrecondition(
        "[PD:core:ErrStoresNotEnough]can not remove store {} since the number of up stores would "
        "be {} while need {}",
        id.value, up_count() - 1, needed);
  }
  s->meta.set_state(metapb::Offline);
  s->meta.set_node_state(metapb::Removing);
  s->meta.set_physically_destroyed(destroyed);
  return absl::OkStatus();
}

absl::Status StoreTable::Restore(StoreId id) {
  ASSIGN_OR_RETURN(StoreInfo * s, Get(id));
  if (s->removed()) return Gone(id);
  if (s->meta.physically_destroyed()) {
    return FailedPrecondition("[PD:core:ErrStoreDestroyed]store {} has been physically destroyed",
                              id.value);
  }
  if (s->up()) return absl::OkStatus();
  s->meta.set_state(metapb::Up);
  s->meta.set_node_state(metapb::Serving);
  return absl::OkStatus();
}

absl::Status StoreTable::Bury(StoreId id, size_t region_count) {
  ASSIGN_OR_RETURN(StoreInfo * s, Get(id));
  if (s->removed()) return absl::OkStatus();
  if (s->up()) {
    return FailedPrecondition(
        "[PD:core:ErrStoreIsUp]store {} is still up, please remove store "
        "gracefully",
        id.value);
  }
  if (region_count > 0) {
    return FailedPrecondition("store {} still holds {} regions", id.value, region_count);
  }
  s->meta.set_state(metapb::Tombstone);
  s->meta.set_node_state(metapb::Removed);
  return absl::OkStatus();
}

absl::Status StoreTable::Serve(StoreId id) {
  ASSIGN_OR_RETURN(StoreInfo * s, Get(id));
  if (s->preparing()) s->meta.set_node_state(metapb::Serving);
  return absl::OkStatus();
}

absl::Status StoreTable::SetLabels(StoreId id, const std::map<std::string, std::string>& labels,
                                   bool replace) {
  for (const auto& [key, value] : labels) RETURN_IF_ERROR(CheckLabel(key, value));
  StoreInfo* s = FindMutable(id);
  if (s == nullptr) {
    return NotFound("[PD:cluster:ErrInvalidStoreID]invalid store id {}, not found", id.value);
  }
  if (replace) s->meta.clear_labels();
  for (const auto& [key, value] : labels) MergeLabel(&s->meta, key, value);
  return absl::OkStatus();
}

absl::Status StoreTable::DeleteLabel(StoreId id, const std::string& key) {
  StoreInfo* s = FindMutable(id);
  if (s == nullptr) {
    return NotFound("[PD:cluster:ErrInvalidStoreID]invalid store id {}, not found", id.value);
  }
  if (s->Label(key).empty()) return NotFound("the label key {} does not exist", key);
  MergeLabel(&s->meta, key, "");
  return absl::OkStatus();
}

absl::Status StoreTable::SetWeight(StoreId id, double leader, double region) {
  ASSIGN_OR_RETURN(StoreInfo * s, Get(id));
  s->leader_weight = leader;
  s->region_weight = region;
  return absl::OkStatus();
}

namespace {

// Letters, digits, '-', '_', '.' and '/', with a letter or digit at both ends; keys may begin
// with '$'.
bool WellFormed(std::string_view text, bool key) {
  if (key && !text.empty() && text[0] == '$') text.remove_prefix(1);
  if (text.empty()) return !key;
  if (text.size() > 1024) return false;
  auto alnum = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; };
  auto inner = [&](char c) { return alnum(c) || c == '-' || c == '_' || c == '.' || c == '/'; };
  return alnum(text.front()) && alnum(text.back()) && std::all_of(text.begin(), text.end(), inner);
}

}  // namespace

absl::Status CheckLabel(std::string_view key, std::string_view value) {
  if (!WellFormed(key, true)) {
    return InvalidArgument(
        "[PD:config:ErrInvalidLabel]label key: {} does not match format "
        "^[$]?[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?$",
        key.substr(0, 64));
  }
  if (!WellFormed(value, false)) {
    return InvalidArgument(
        "[PD:config:ErrInvalidLabel]label value: {} does not match format "
        "^[-A-Za-z0-9]?([-A-Za-z0-9_./]*[A-Za-z0-9])?$",
        value.substr(0, 64));
  }
  return absl::OkStatus();
}

}  // namespace tikv::pd
