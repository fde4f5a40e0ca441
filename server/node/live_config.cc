#include "server/node/live_config.h"

#include <nlohmann/json.hpp>

#include "lib/base/status.h"

namespace tikv::server {

std::string LiveConfig::Json() { return config::ToJson(*live_.Get()); }

std::string LiveConfig::LastPath() const {
  return JoinPath(live_.Get()->storage.data_dir, "last_tikv.toml");
}

absl::Status LiveConfig::WriteLast() {
  return WriteFileAtomic(files_, LastPath(), config::ToToml(*live_.Get()));
}

absl::Status LiveConfig::Change(std::string_view changes, bool persist) {
  RETURN_IF_ERROR(live_.Change(changes));
  if (!persist) return absl::OkStatus();
  std::lock_guard lock(file_mutex_);
  return Annotate(Persist(changes), "config changed, but failed to persist change");
}

absl::Status LiveConfig::Persist(std::string_view changes) {
  const std::string path = path_.empty() ? LastPath() : path_;
  absl::StatusOr<std::string> text = ReadFile(files_, path);
  if (absl::IsNotFound(text.status())) text = "";
  RETURN_IF_ERROR(text.status());
  ASSIGN_OR_RETURN(const std::string edited, config::PutIntoToml(*text, changes, *live_.Get()));
  return WriteFileAtomic(files_, path, edited);
}

// Only what may change online is taken over; the rest waits for the next start.
absl::Status LiveConfig::Reload() {
  if (path_.empty()) return InvalidArgument("this store was started without a configuration file");
  ASSIGN_OR_RETURN(const std::string text, ReadFile(files_, path_));
  NodeConfig loaded = *live_.Get();
  ASSIGN_OR_RETURN(const auto warnings, config::LoadToml(text, path_, /*strict=*/false, &loaded));
  RETURN_IF_ERROR(loaded.Validate());
  const auto before = nlohmann::json::parse(config::ToJson(*live_.Get()));
  const auto after = nlohmann::json::parse(config::ToJson(loaded));
  nlohmann::json changes = nlohmann::json::object();
  for (const config::KeyInfo& info : config::ListKeys(loaded)) {
    if (!info.online) continue;
    std::string pointer = "/" + info.key;
    for (char& c : pointer) {
      if (c == '.') c = '/';
    }
    const nlohmann::json::json_pointer at(pointer);
    if (before.at(at) != after.at(at)) changes[info.key] = after.at(at);
  }
  return changes.empty() ? absl::OkStatus() : live_.Change(changes.dump());
}

}  // namespace tikv::server
