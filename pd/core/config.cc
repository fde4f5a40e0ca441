#include "pd/core/config.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "lib/base/status.h"
#include "pd/core/config_defaults.h"
#include "pd/core/duration.h"

namespace tikv::pd {
namespace {

using Json = Config::Json;

constexpr std::string_view kFlatSections[] = {"schedule", "replication", "pd-server"};

const char* TypeName(const Json& v) {
  if (v.is_string()) return "string";
  if (v.is_number()) return "number";
  if (v.is_boolean()) return "bool";
  if (v.is_array()) return "array";
  return v.is_object() ? "object" : "null";
}

absl::Status WrongType(const Json& got, std::string_view section, std::string_view item,
                       std::string_view want) {
  const std::string shown = got.is_number() ? " " + got.dump() : "";
  return InvalidArgument("json: cannot unmarshal {}{} into field {}.{} of type {}", TypeName(got),
                         shown, section, item, want);
}

bool IsSwitch(const Json& v) { return v.is_string() && (v == "true" || v == "false"); }

bool IsDuration(std::string_view item, const Json& v) {
  if (!v.is_string()) return false;
  auto ends = [&](std::string_view e) {
    return item.size() >= e.size() && item.substr(item.size() - e.size()) == e;
  };
  return ends("-interval") || ends("-time") || ends("-timeout") || ends("-reset-ts");
}

// A float where an unsigned integer is wanted is a wrong type, unless it is whole.
std::optional<uint64_t> Unsigned(const Json& v) {
  if (v.is_number_unsigned()) return v.get<uint64_t>();
  if (v.is_number_integer() && v.get<int64_t>() >= 0) return v.get<uint64_t>();
  return std::nullopt;
}

absl::StatusOr<Json> ConvertString(std::string_view section, std::string_view item,
                                   const Json& current, const Json& value) {
  if (IsSwitch(current)) {
    if (value.is_boolean()) return Json(value.get<bool>() ? "true" : "false");
    if (IsSwitch(value)) return value;
    return WrongType(value, section, item, "bool");
  }
  if (item == "location-labels" && value.is_array()) {
    std::string joined;
    for (const Json& label : value) {
      if (!label.is_string()) return WrongType(label, section, item, "string");
      joined += (joined.empty() ? "" : ",") + label.get<std::string>();
    }
    return Json(joined);
  }
  if (!value.is_string()) return WrongType(value, section, item, "string");
  if (IsDuration(item, current)) {
    auto nanos = ParseDuration(value.get_ref<const std::string&>());
    if (!nanos) {
      return InvalidArgument("time: invalid duration \"{}\"",
                             value.get_ref<const std::string&>().substr(0, 64));
    }
    return Json(FormatDuration(*nanos));
  }
  return value;
}

// `value` in the kind that `current` has.
absl::StatusOr<Json> Convert(std::string_view section, std::string_view item, const Json& current,
                             const Json& value) {
  if (current.is_string()) return ConvertString(section, item, current, value);
  if (current.is_number_float()) {
    if (!value.is_number()) return WrongType(value, section, item, "float64");
    return Json(value.get<double>());
  }
  if (current.is_number()) {
    auto n = Unsigned(value);
    if (!n) return WrongType(value, section, item, "uint64");
    return Json(*n);
  }
  const bool fits = current.is_null() || value.type() == current.type();
  if (!fits) return WrongType(value, section, item, TypeName(current));
  return value;
}

// A value of a map of limits that is no limit must not get in: it is read by type later.
bool ValidStoreLimits(const Json& limits) {
  for (const auto& [store, l] : limits.items()) {
    const bool digits =
        !store.empty() && store.size() < 20 && store.find_first_not_of("0123456789") == store.npos;
    if (!digits || !l.is_object()) return false;
    for (const auto& [kind, rate] : l.items()) {
      if (!rate.is_number() || rate.get<double>() < 0) return false;
    }
  }
  return true;
}

absl::Status CheckRanges(const Json& doc) {
  const Json& s = doc.at("schedule");
  const double low = s.at("low-space-ratio").get<double>();
  const double high = s.at("high-space-ratio").get<double>();
  if (s.at("tolerant-size-ratio").get<double>() < 0) {
    return FailedPrecondition("tolerant-size-ratio should be non-negative");
  }
  if (low < 0 || low > 1) return FailedPrecondition("low-space-ratio should between 0 and 1");
  if (high < 0 || high > 1) return FailedPrecondition("high-space-ratio should between 0 and 1");
  if (low <= high) {
    return FailedPrecondition("low-space-ratio should be larger than high-space-ratio");
  }
  if (s.at("leader-schedule-policy") != "count" && s.at("leader-schedule-policy") != "size") {
    return FailedPrecondition("leader-schedule-policy {} is invalid",
                              s.at("leader-schedule-policy").get<std::string>());
  }
  if (!ValidStoreLimits(s.at("store-limit"))) return FailedPrecondition("store-limit is invalid");
  const Json& r = doc.at("replication");
  const uint64_t replicas = r.at("max-replicas").get<uint64_t>();
  if (replicas == 0 || replicas > 100) {
    return FailedPrecondition("max-replicas should be between 1 and 100");
  }
  const std::string labels = "," + r.at("location-labels").get<std::string>() + ",";
  const std::string level = r.at("isolation-level").get<std::string>();
  if (!level.empty() && labels.find("," + level + ",") == labels.npos) {
    return FailedPrecondition("isolation-level must be one of location-labels or empty");
  }
  const std::string mode = doc.at("replication-mode").at("replication-mode").get<std::string>();
  if (mode != "majority" && mode != "dr-auto-sync") {
    return FailedPrecondition("invalid replication mode: {}", mode.substr(0, 64));
  }
  return absl::OkStatus();
}

absl::Status SetItem(Json* doc, std::string_view section, const std::string& item,
                     const Json& value) {
  Json& target = doc->at(std::string(section));
  auto it = target.find(item);
  if (it == target.end()) return InvalidArgument("config item {} not found", item.substr(0, 128));
  if (it->is_object() && item == "dr-auto-sync") {
    if (!value.is_object()) return WrongType(value, section, item, "object");
    for (const auto& [key, v] : value.items()) {
      if (!it->contains(key)) return InvalidArgument("config item {} not found", key);
      ASSIGN_OR_RETURN((*it)[key], Convert(section, key, (*it)[key], v));
    }
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(*it, Convert(section, item, *it, value));
  return absl::OkStatus();
}

struct Place {
  std::string section, item;
};

// Where a flat key lives.  "schedule.x" names its section; "x" is looked up.
absl::StatusOr<Place> Locate(const Json& doc, const std::string& key) {
  if (auto dot = key.find('.'); dot != key.npos) {
    const std::string section = key.substr(0, dot);
    if (doc.contains(section) && doc.at(section).is_object())
      return Place{section, key.substr(dot + 1)};
  }
  for (std::string_view section : kFlatSections) {
    if (doc.at(std::string(section)).contains(key)) return Place{std::string(section), key};
  }
  if (key == "cluster-version") return Place{"", key};
  return InvalidArgument("config item {} not found", key.substr(0, 128));
}

absl::Status NotAnObject(const Json& items) {
  return InvalidArgument(
      "json: cannot unmarshal {} into Go value of type map[string]interface {{}}", TypeName(items));
}

std::vector<std::string> SplitLabels(const std::string& joined) {
  std::vector<std::string> out;
  for (size_t at = 0; at < joined.size();) {
    const size_t comma = std::min(joined.find(',', at), joined.size());
    if (comma > at) out.push_back(joined.substr(at, comma - at));
    at = comma + 1;
  }
  return out;
}

ScheduleConfig TypedSchedule(const Json& s) {
  auto number = [&](const char* item) { return s.at(item).get<uint64_t>(); };
  auto ratio = [&](const char* item) { return s.at(item).get<double>(); };
  auto on = [&](const char* item) { return s.at(item) == "true"; };
  auto ms = [&](const char* item) {
    return ParseDuration(s.at(item).get_ref<const std::string&>()).value_or(0) / 1'000'000;
  };
  ScheduleConfig c;
  c.max_snapshot_count = number("max-snapshot-count");
  c.max_pending_peer_count = number("max-pending-peer-count");
  c.leader_schedule_limit = number("leader-schedule-limit");
  c.region_schedule_limit = number("region-schedule-limit");
  c.replica_schedule_limit = number("replica-schedule-limit");
  c.max_waiting_operator = number("scheduler-max-waiting-operator");
  c.max_merge_region_size = number("max-merge-region-size");
  c.max_store_down_ms = ms("max-store-down-time");
  c.max_store_preparing_ms = ms("max-store-preparing-time");
  c.patrol_interval_ms = ms("patrol-region-interval");
  c.low_space_ratio = ratio("low-space-ratio");
  c.high_space_ratio = ratio("high-space-ratio");
  c.tolerant_size_ratio = ratio("tolerant-size-ratio");
  c.leader_by_size = s.at("leader-schedule-policy") == "size";
  c.remove_down = on("enable-remove-down-replica");
  c.replace_offline = on("enable-replace-offline-replica");
  c.make_up = on("enable-make-up-replica");
  c.remove_extra = on("enable-remove-extra-replica");
  c.location_replacement = on("enable-location-replacement");
  c.joint_consensus = on("enable-joint-consensus");
  c.allow_split = on("enable-tikv-split-region");
  c.halted = on("halt-scheduling");
  for (const auto& [store, limit] : s.at("store-limit").items()) {
    StoreLimit& l = c.store_limit[std::stoull(store)];
    l.add_peer = limit.value("add-peer", l.add_peer);
    l.remove_peer = limit.value("remove-peer", l.remove_peer);
  }
  return c;
}

}  // namespace

StoreLimit ScheduleConfig::LimitOf(StoreId store) const {
  auto it = store_limit.find(store.value);
  return it == store_limit.end() ? default_limit : it->second;
}

const Json& Config::Defaults() {
  static const Json* const kDefaults = new Json(Json::parse(kDefaultConfig));
  return *kDefaults;
}

Config::Config() : document_(std::make_unique<Json>(Defaults())) { Refresh(); }
Config::~Config() = default;
Config::Config(const Config& other)
    : document_(std::make_unique<Json>(*other.document_)),
      temporary_(other.temporary_),
      schedule_(other.schedule_),
      replication_(other.replication_) {}
Config& Config::operator=(const Config& other) {
  *document_ = *other.document_;
  temporary_ = other.temporary_;
  schedule_ = other.schedule_;
  replication_ = other.replication_;
  return *this;
}

const Json& Config::document() const { return *document_; }

const Json& Config::Section(std::string_view name) const {
  static const Json* const kNull = new Json();
  auto it = document_->find(std::string(name));
  return it == document_->end() ? *kNull : *it;
}

Version Config::cluster_version() const {
  return Version::Parse(Section("cluster-version").get<std::string>()).value_or(Version{});
}

std::string Config::key_type() const { return Section("pd-server").at("key-type"); }

void Config::Refresh() {
  Json schedule = document_->at("schedule");
  for (const Temporary& t : temporary_) {
    if (t.section == "schedule") schedule[t.item] = Json::parse(t.value, nullptr, false);
  }
  schedule_ = TypedSchedule(schedule);
  const Json& r = document_->at("replication");
  replication_.max_replicas = r.at("max-replicas").get<uint64_t>();
  replication_.location_labels = SplitLabels(r.at("location-labels").get<std::string>());
  replication_.strictly_match_label = r.at("strictly-match-label") == "true";
  replication_.isolation_level = r.at("isolation-level").get<std::string>();
}

absl::Status Config::Update(const Json& items) {
  if (!items.is_object()) return NotAnObject(items);
  Json next = *document_;
  for (const auto& [key, value] : items.items()) {
    ASSIGN_OR_RETURN(Place place, Locate(next, key));
    if (place.section.empty()) {
      if (!value.is_string()) return WrongType(value, "config", key, "string");
      ASSIGN_OR_RETURN(Version v, Version::Parse(value.get<std::string>()));
      next["cluster-version"] = v.Text();
      continue;
    }
    RETURN_IF_ERROR(SetItem(&next, place.section, place.item, value));
  }
  RETURN_IF_ERROR(CheckRanges(next));
  *document_ = std::move(next);
  Refresh();
  return absl::OkStatus();
}

absl::Status Config::UpdateSection(std::string_view section, const Json& items) {
  if (!items.is_object()) return NotAnObject(items);
  Json next = *document_;
  for (const auto& [item, value] : items.items()) {
    RETURN_IF_ERROR(SetItem(&next, section, item, value));
  }
  RETURN_IF_ERROR(CheckRanges(next));
  *document_ = std::move(next);
  Refresh();
  return absl::OkStatus();
}

absl::Status Config::SetTemporary(const Json& items, int64_t until_ms) {
  if (!items.is_object()) return NotAnObject(items);
  std::vector<Temporary> fresh;
  Json checked = *document_;
  for (const auto& [key, value] : items.items()) {
    const bool supported = std::any_of(std::begin(kTemporaryItems), std::end(kTemporaryItems),
                                       [&](const char* known) { return key == known; });
    if (!supported) return InvalidArgument("unsupported ttl config {}", key.substr(0, 128));
    const std::string item = key.substr(key.find('.') + 1);
    RETURN_IF_ERROR(SetItem(&checked, "schedule", item, value));
    fresh.push_back({"schedule", item, checked.at("schedule").at(item).dump(), until_ms});
  }
  for (Temporary& t : fresh) {
    std::erase_if(temporary_, [&](const Temporary& old) { return old.item == t.item; });
    if (until_ms > 0) temporary_.push_back(std::move(t));
  }
  Refresh();
  return absl::OkStatus();
}

void Config::ExpireTemporary(int64_t now_ms) {
  if (std::erase_if(temporary_, [&](const Temporary& t) { return t.until_ms <= now_ms; }) > 0) {
    Refresh();
  }
}

absl::Status Config::SetClusterVersion(std::string_view version) {
  ASSIGN_OR_RETURN(Version v, Version::Parse(version));
  (*document_)["cluster-version"] = v.Text();
  return absl::OkStatus();
}

absl::Status Config::SetLabelProperty(const std::string& type, const std::string& action,
                                      const std::string& key, const std::string& value) {
  if (type.size() + key.size() + value.size() > 1024) {
    return FailedPrecondition("label property is too long");
  }
  Json& properties = (*document_)["label-property"];
  const Json label = {{"key", key}, {"value", value}};
  if (action == "set") {
    Json& list = properties[type];
    if (std::find(list.begin(), list.end(), label) == list.end()) list.push_back(label);
  } else if (action == "delete") {
    if (auto it = properties.find(type); it != properties.end()) {
      it->erase(std::remove(it->begin(), it->end(), label), it->end());
      if (it->empty()) properties.erase(type);
    }
  } else {
    return FailedPrecondition("unknown action {}", action.substr(0, 64));
  }
  return absl::OkStatus();
}

bool Config::RejectsLeader(const StoreInfo& store) const {
  const Json& properties = Section("label-property");
  auto list = properties.find("reject-leader");
  if (list == properties.end()) return false;
  return std::any_of(list->begin(), list->end(), [&](const Json& label) {
    const std::string& value = label.at("value").get_ref<const std::string&>();
    return !value.empty() && store.Label(label.at("key").get_ref<const std::string&>()) == value;
  });
}

void Config::SetStoreLimit(StoreId store, std::string_view kind, double rate) {
  StoreLimit l = schedule_.LimitOf(store);
  if (kind != "remove-peer") l.add_peer = rate;
  if (kind != "add-peer") l.remove_peer = rate;
  (*document_)["schedule"]["store-limit"][std::to_string(store.value)] = {
      {"add-peer", l.add_peer}, {"remove-peer", l.remove_peer}};
  Refresh();
}

void Config::RemoveStoreLimit(StoreId store) {
  (*document_)["schedule"]["store-limit"].erase(std::to_string(store.value));
  Refresh();
}

std::string Config::Serialize() const {
  return document_->dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::Status Config::Load(std::string_view text) {
  Json stored = Json::parse(text, nullptr, false);
  if (!stored.is_object()) return DataLoss("the stored configuration is no JSON object");
  Json next = Defaults();
  for (const auto& [section, defaults] : Defaults().items()) {
    auto it = stored.find(section);
    if (it == stored.end()) continue;
    if (section == "label-property" || section == "cluster-version") {
      if (it->type() == defaults.type()) next[section] = *it;
      continue;
    }
    if (!it->is_object()) continue;
    for (const auto& [item, value] : it->items()) {
      // What an older or newer release wrote in another shape keeps its default.
      SetItem(&next, section, item, value).IgnoreError();
    }
  }
  RETURN_IF_ERROR(CheckRanges(next));
  *document_ = std::move(next);
  Refresh();
  return absl::OkStatus();
}

}  // namespace tikv::pd
