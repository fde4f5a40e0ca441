// The errors of etcd v3 that clients recognise by code and text.
#pragma once

#include <absl/status/status.h>

namespace tikv::pd::meta {

absl::Status ErrEmptyKey();
absl::Status ErrKeyNotFound();
absl::Status ErrValueProvided();
absl::Status ErrLeaseProvided();
absl::Status ErrTooManyOps();
absl::Status ErrDuplicateKey();
absl::Status ErrInvalidSortOption();
absl::Status ErrCompacted();
absl::Status ErrFutureRev();
absl::Status ErrNoSpace();
absl::Status ErrLeaseNotFound();
absl::Status ErrLeaseExist();
absl::Status ErrLeaseTtlTooLarge();
absl::Status ErrMemberExist();
absl::Status ErrPeerUrlExist();
absl::Status ErrMemberBadUrls();
absl::Status ErrMemberNotFound();
absl::Status ErrMemberNotLearner();
absl::Status ErrLearnerNotReady();
absl::Status ErrTooManyLearners();
absl::Status ErrUnhealthy();
absl::Status ErrNotEnoughStarted();
absl::Status ErrRequestTooLarge();
absl::Status ErrNoLeader();
absl::Status ErrNotLeader();
absl::Status ErrLeaderChanged();
absl::Status ErrTimeout();
absl::Status ErrTooManyRequests();
absl::Status ErrStopped();
absl::Status ErrNotCapable();
absl::Status ErrBadLeaderTransferee();
absl::Status ErrAuthNotEnabled();

// PD's own answer of a member that does not lead (a guarded change).
absl::Status ErrPdNotLeader();

}  // namespace tikv::pd::meta
