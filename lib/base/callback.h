// One-shot callbacks, the joints between threads and tasks.
#pragma once

#include <absl/functional/any_invocable.h>

#include <utility>

namespace tikv {

// Work to run once.
using Task = absl::AnyInvocable<void() &&>;

// Receives one result, exactly once.  Dropping a callback without calling it is a bug of the
// holder: whoever waits would wait for ever.
template <class... Args>
using Callback = absl::AnyInvocable<void(Args...) &&>;

}  // namespace tikv
