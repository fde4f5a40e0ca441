// Range requests on a view.
#pragma once

#include <absl/status/statusor.h>

#include "pd/meta/kv.h"

namespace etcdserverpb {
class Compare;
class RangeRequest;
class RangeResponse;
}  // namespace etcdserverpb
namespace mvccpb {
class KeyValue;
}

namespace tikv::pd::meta {

class View;

// The response without its header.  `count` covers the whole range, whatever limit and filters.
absl::StatusOr<etcdserverpb::RangeResponse> ExecuteRange(const View& view,
                                                         const etcdserverpb::RangeRequest& request);

// Whether the condition holds for every key of its range.  A single missing key compares as zeros
// and fails every comparison of its value.
absl::StatusOr<bool> Holds(const View& view, const etcdserverpb::Compare& condition);

void ToProto(KeyValue kv, mvccpb::KeyValue* out);

}  // namespace tikv::pd::meta
