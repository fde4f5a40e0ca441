#include "pd/meta/errors.h"

#include "lib/base/status.h"

namespace tikv::pd::meta {

#define ETCD_ERROR(Name, Make, text) \
  absl::Status Name() { return Make("etcdserver: " text); }
ETCD_ERROR(ErrEmptyKey, InvalidArgument, "key is not provided")
ETCD_ERROR(ErrKeyNotFound, InvalidArgument, "key not found")
ETCD_ERROR(ErrValueProvided, InvalidArgument, "value is provided")
ETCD_ERROR(ErrLeaseProvided, InvalidArgument, "lease is provided")
ETCD_ERROR(ErrTooManyOps, InvalidArgument, "too many operations in txn request")
ETCD_ERROR(ErrDuplicateKey, InvalidArgument, "duplicate key given in txn request")
ETCD_ERROR(ErrInvalidSortOption, InvalidArgument, "invalid sort option")
ETCD_ERROR(ErrCompacted, OutOfRange, "mvcc: required revision has been compacted")
ETCD_ERROR(ErrFutureRev, OutOfRange, "mvcc: required revision is a future revision")
ETCD_ERROR(ErrNoSpace, ResourceExhausted, "mvcc: database space exceeded")
ETCD_ERROR(ErrLeaseNotFound, NotFound, "requested lease not found")
ETCD_ERROR(ErrLeaseExist, FailedPrecondition, "lease already exists")
ETCD_ERROR(ErrLeaseTtlTooLarge, OutOfRange, "too large lease TTL")
ETCD_ERROR(ErrMemberExist, FailedPrecondition, "member ID already exist")
ETCD_ERROR(ErrPeerUrlExist, FailedPrecondition, "Peer URLs already exists")
ETCD_ERROR(ErrMemberBadUrls, InvalidArgument, "given member URLs are invalid")
ETCD_ERROR(ErrMemberNotFound, NotFound, "member not found")
ETCD_ERROR(ErrMemberNotLearner, FailedPrecondition, "can only promote a learner member")
ETCD_ERROR(ErrLearnerNotReady, FailedPrecondition,
           "can only promote a learner member which is in sync with leader")
ETCD_ERROR(ErrTooManyLearners, FailedPrecondition, "too many learner members in cluster")
ETCD_ERROR(ErrUnhealthy, Unavailable, "unhealthy cluster")
ETCD_ERROR(ErrNotEnoughStarted, FailedPrecondition,
           "re-configuration failed due to not enough started members")
ETCD_ERROR(ErrRequestTooLarge, InvalidArgument, "request is too large")
ETCD_ERROR(ErrNoLeader, Unavailable, "no leader")
ETCD_ERROR(ErrNotLeader, FailedPrecondition, "not leader")
ETCD_ERROR(ErrLeaderChanged, Unavailable, "leader changed")
ETCD_ERROR(ErrTimeout, Unavailable, "request timed out")
ETCD_ERROR(ErrTooManyRequests, ResourceExhausted, "too many requests")
ETCD_ERROR(ErrStopped, Unavailable, "server stopped")
ETCD_ERROR(ErrNotCapable, Unavailable, "not capable")
ETCD_ERROR(ErrBadLeaderTransferee, FailedPrecondition, "bad leader transferee")
ETCD_ERROR(ErrAuthNotEnabled, FailedPrecondition, "authentication is not enabled")
#undef ETCD_ERROR

absl::Status ErrPdNotLeader() { return Unavailable("not leader"); }

}  // namespace tikv::pd::meta
