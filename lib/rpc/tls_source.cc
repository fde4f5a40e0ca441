#include "lib/rpc/tls_source.h"

#include "lib/base/status.h"

namespace tikv::rpc {

TlsSource::TlsSource(const ServerOptions& options, ServerStats* stats)
    : files_(options.tls),
      on_reload_(options.on_tls_reload),
      stats_(stats),
      changed_({files_.ca_path, files_.cert_path, files_.key_path}) {}

absl::StatusOr<std::unique_ptr<TlsSource>> TlsSource::Open(const ServerOptions& options,
                                                           ServerStats* stats) {
  std::unique_ptr<TlsSource> source(new TlsSource(options, stats));
  // After the first look at the files: a change in between is seen by the next one.
  ASSIGN_OR_RETURN(source->current_, TlsContext::Load(options.tls));
  return source;
}

std::shared_ptr<TlsContext> TlsSource::Current(int64_t now_ns) {
  std::lock_guard lock(mutex_);
  if (!changed_.Check(now_ns)) return current_;
  absl::StatusOr<std::shared_ptr<TlsContext>> loaded = TlsContext::Load(files_);
  (loaded.ok() ? stats_->tls_reloads : stats_->tls_reload_errors)
      .fetch_add(1, std::memory_order_relaxed);
  if (on_reload_) on_reload_(loaded.status());
  if (loaded.ok()) current_ = *std::move(loaded);
  return current_;
}

}  // namespace tikv::rpc
