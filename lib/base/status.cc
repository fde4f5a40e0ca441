#include "lib/base/status.h"

#include <cerrno>
#include <system_error>

namespace tikv {
namespace {

absl::StatusCode CodeOf(int error) {
  switch (error) {
    case ENOENT:
      return absl::StatusCode::kNotFound;
    case EEXIST:
      return absl::StatusCode::kAlreadyExists;
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::StatusCode::kResourceExhausted;
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::StatusCode::kPermissionDenied;
    default:
      return absl::StatusCode::kInternal;
  }
}

}  // namespace

absl::Status Annotate(const absl::Status& s, std::string_view context) {
  if (s.ok()) return s;
  return absl::Status(s.code(), fmt::format("{}: {}", context, Message(s)));
}

absl::Status ErrnoStatus(int error, std::string_view what, std::string_view path) {
  const std::string reason = std::generic_category().message(error);
  return absl::Status(CodeOf(error), path.empty() ? fmt::format("{}: {}", what, reason)
                                                  : fmt::format("{} {}: {}", what, path, reason));
}

}  // namespace tikv
