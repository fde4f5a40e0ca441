// The certificates that new connections of a server get.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <mutex>

#include "lib/http/changed_files.h"
#include "lib/rpc/options.h"
#include "lib/rpc/transport.h"

namespace tikv::rpc {

// Reloads the files when they were replaced; what does not load leaves the old ones in use.
// Thread-safe.
class TlsSource {
 public:
  // Fails when the files cannot be used now.
  static absl::StatusOr<std::unique_ptr<TlsSource>> Open(const ServerOptions& options,
                                                         ServerStats* stats);
  std::shared_ptr<TlsContext> Current(int64_t now_ns);

 private:
  TlsSource(const ServerOptions& options, ServerStats* stats);

  const TlsFiles files_;
  const std::function<void(const absl::Status&)> on_reload_;
  ServerStats* const stats_;
  std::mutex mutex_;
  http::ChangedFiles changed_;  // Guarded by mutex_, as the next.
  std::shared_ptr<TlsContext> current_;
};

}  // namespace tikv::rpc
