// Errors are values: absl::Status and absl::StatusOr, with macros that pass them on and one
// constructor per code that formats its text (fmt syntax).
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <fmt/core.h>

#include <string>
#include <string_view>
#include <utility>

namespace tikv {

// Debian's abseil has a string_view of its own; this is its text as the standard one.
inline std::string_view Message(const absl::Status& s) {
  return {s.message().data(), s.message().size()};
}

// The same code with "context: " before the text.  OK stays OK.
absl::Status Annotate(const absl::Status& s, std::string_view context);

// `ErrnoStatus(errno, "open", path)`: "open /x/y: No such file or directory", with the code that
// fits: NotFound, AlreadyExists, ResourceExhausted (ENOSPC, EDQUOT, EMFILE), PermissionDenied,
// else Internal.
absl::Status ErrnoStatus(int error, std::string_view what, std::string_view path = {});

#define TIKV_STATUS_CONSTRUCTOR(Name, Code)                                                        \
  template <class... Args>                                                                         \
  absl::Status Name(fmt::format_string<Args...> format, Args&&... args) {                          \
    return absl::Status(absl::StatusCode::Code, fmt::format(format, std::forward<Args>(args)...)); \
  }
TIKV_STATUS_CONSTRUCTOR(Cancelled, kCancelled)
TIKV_STATUS_CONSTRUCTOR(Unknown, kUnknown)
TIKV_STATUS_CONSTRUCTOR(InvalidArgument, kInvalidArgument)
TIKV_STATUS_CONSTRUCTOR(DeadlineExceeded, kDeadlineExceeded)
TIKV_STATUS_CONSTRUCTOR(NotFound, kNotFound)
TIKV_STATUS_CONSTRUCTOR(AlreadyExists, kAlreadyExists)
TIKV_STATUS_CONSTRUCTOR(PermissionDenied, kPermissionDenied)
TIKV_STATUS_CONSTRUCTOR(ResourceExhausted, kResourceExhausted)
TIKV_STATUS_CONSTRUCTOR(FailedPrecondition, kFailedPrecondition)
TIKV_STATUS_CONSTRUCTOR(Aborted, kAborted)
TIKV_STATUS_CONSTRUCTOR(OutOfRange, kOutOfRange)
TIKV_STATUS_CONSTRUCTOR(Unimplemented, kUnimplemented)
TIKV_STATUS_CONSTRUCTOR(Internal, kInternal)
TIKV_STATUS_CONSTRUCTOR(Unavailable, kUnavailable)
TIKV_STATUS_CONSTRUCTOR(DataLoss, kDataLoss)
TIKV_STATUS_CONSTRUCTOR(Unauthenticated, kUnauthenticated)
#undef TIKV_STATUS_CONSTRUCTOR

}  // namespace tikv

#define RETURN_IF_ERROR(expr)                                         \
  do {                                                                \
    if (absl::Status status_ = (expr); !status_.ok()) return status_; \
  } while (false)

#define TIKV_CONCAT_INNER(a, b) a##b
#define TIKV_CONCAT(a, b) TIKV_CONCAT_INNER(a, b)
// ASSIGN_OR_RETURN(auto value, Compute());
#define ASSIGN_OR_RETURN(lhs, expr) \
  TIKV_ASSIGN_OR_RETURN(TIKV_CONCAT(status_or_, __LINE__), lhs, expr)
#define TIKV_ASSIGN_OR_RETURN(tmp, lhs, expr)    \
  auto tmp = (expr);                             \
  if (!tmp.ok()) return std::move(tmp).status(); \
  lhs = *std::move(tmp)
