// Reading, showing and changing a configuration declared as visitor.h describes.  C is such a
// struct: it has Visit(Visitor&) and `absl::Status Validate() const`.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "lib/base/status.h"
#include "lib/config/units.h"
#include "lib/config/visitor.h"

namespace tikv::config {

namespace internal {
using VisitFn = std::function<void(Visitor*)>;
absl::StatusOr<std::vector<std::string>> Load(std::string_view text, std::string_view name,
                                              bool strict, const VisitFn& visit);
absl::Status Change(std::string_view json, bool online_only, const VisitFn& visit);
absl::StatusOr<std::string> PutIntoToml(std::string_view text, std::string_view json,
                                        DurationStyle durations, const VisitFn& visit);
std::string ToToml(DurationStyle durations, const VisitFn& visit);
std::string ToJson(DurationStyle durations, const VisitFn& visit);

template <class C>
VisitFn VisitOf(C* config) {
  return [config](Visitor* v) { config->Visit(*v); };
}
// Visit is not const since readers store through it; the writers only look.
template <class C>
VisitFn VisitOf(const C* config) {
  return VisitOf(const_cast<C*>(config));
}
}  // namespace internal

// Stores what the TOML text says into *config, whose other fields keep their values.  Returns one
// warning per unknown key ("tikv.toml:3: unknown key raftstore.x").  InvalidArgument, with file,
// line, key, value and what is expected, for text that is not TOML, wrong types, values out of
// range, and unknown keys if `strict`; *config is then half changed.  Does not call Validate:
// command-line flags come after the file.
template <class C>
absl::StatusOr<std::vector<std::string>> LoadToml(std::string_view text, std::string_view file_name,
                                                  bool strict, C* config) {
  return internal::Load(text, file_name, strict, internal::VisitOf(config));
}

// Text that LoadToml reads back.
template <class C>
std::string ToToml(const C& config, DurationStyle durations = DurationStyle::kTikv) {
  return internal::ToToml(durations, internal::VisitOf(&config));
}

// What GET /config answers.
template <class C>
std::string ToJson(const C& config, DurationStyle durations = DurationStyle::kTikv) {
  return internal::ToJson(durations, internal::VisitOf(&config));
}

// Applies what POST /config carries, {"raftstore.raft-log-gc-threshold": 77} or the same nested:
// all of it or, on an error, nothing.  InvalidArgument for unknown keys, wrong types, values out of
// range, what Validate refuses and, if `online_only`, fields that cannot change while running.
template <class C>
absl::Status ChangeByJson(std::string_view json, bool online_only, C* config) {
  C changed = *config;
  RETURN_IF_ERROR(internal::Change(json, online_only, internal::VisitOf(&changed)));
  RETURN_IF_ERROR(changed.Validate());
  *config = std::move(changed);
  return absl::OkStatus();
}

// The TOML text with the keys that a change (as ChangeByJson takes it) names, at the values they
// have in `config`; all else in the text stays.  Errors as EditToml.
template <class C>
absl::StatusOr<std::string> PutIntoToml(std::string_view text, std::string_view json,
                                        const C& config,
                                        DurationStyle durations = DurationStyle::kTikv) {
  return internal::PutIntoToml(text, json, durations, internal::VisitOf(&config));
}

// One field by its dotted name.
struct KeyInfo {
  std::string key;
  bool online = false;
};
std::vector<KeyInfo> ListKeys(const internal::VisitFn& visit);
// All fields, in the order of declaration; for callers that accept names without their section.
template <class C>
std::vector<KeyInfo> ListKeys(const C& config) {
  return ListKeys(internal::VisitOf(&config));
}

// The configuration of a running program: read from any thread, changed by one at a time.
template <class C>
class Live {
 public:
  explicit Live(C config) : current_(std::make_shared<const C>(std::move(config))) {}

  std::shared_ptr<const C> Get() const {
    std::lock_guard lock(mutex_);
    return current_;
  }

  // Takes a new configuration over, or says why that cannot be done.
  using Observer = std::function<absl::Status(const C&)>;

  // `on_change` gets every later configuration, in the thread that changes it, one call at a time;
  // it must not change or observe.
  void Observe(Observer on_change) {
    std::lock_guard lock(change_mutex_);
    observers_.push_back(std::move(on_change));
  }

  // As ChangeByJson; the observers have taken it over when it returns OK.  When one of them cannot,
  // those before it get the old configuration again, and its error is the answer.
  absl::Status Change(std::string_view json) {
    std::lock_guard change_lock(change_mutex_);
    const auto old = Get();
    C changed = *old;
    RETURN_IF_ERROR(ChangeByJson(json, /*online_only=*/true, &changed));
    auto next = std::make_shared<const C>(std::move(changed));
    for (size_t i = 0; i < observers_.size(); ++i) {
      const absl::Status status = observers_[i](*next);
      if (status.ok()) continue;
      for (size_t back = 0; back <= i; ++back) observers_[back](*old).IgnoreError();
      return status;
    }
    std::lock_guard lock(mutex_);
    current_ = std::move(next);
    return absl::OkStatus();
  }

 private:
  std::mutex change_mutex_;  // Held over a change and its observers.
  std::vector<Observer> observers_;
  mutable std::mutex mutex_;  // Of current_ only.
  std::shared_ptr<const C> current_;
};

}  // namespace tikv::config
