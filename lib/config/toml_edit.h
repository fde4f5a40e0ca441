// Changing single values of a TOML text as a person would: the rest stays as it stands.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tikv::config {

// A dotted key and its value as TOML spells it.
using TomlEdit = std::pair<std::string, std::string>;

// `text` with those values; comments, order and other keys are kept.  A key that is missing is put
// at the end of its section, a section that is missing at the end of the text.  FailedPrecondition
// when the text has a form in which this cannot be done (inline tables).
absl::StatusOr<std::string> EditToml(std::string_view text, const std::vector<TomlEdit>& edits);

}  // namespace tikv::config
