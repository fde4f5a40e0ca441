// The read paths of RawStorage; included by its sources only.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <utility>

#include "server/storage/raw/raw_storage.h"

namespace tikv::server {

// Local reads first with `cache_only`: an event loop must not wait for the disk.
template <class Result>
void RawStorage::Read(const RequestHeader& header, ReadMode mode, bool inline_allowed,
                      ReadBody<Result> body, Callback<Result> done) {
  RegionView view;
  if (!engine_->TryLocalRead(header, inline_allowed ? mode : ReadMode::kSnapshot, &view)) {
    return ReadByQuorum<Result>(header, std::move(body), std::move(done));
  }
  if (!inline_allowed) {
    return ReadOnPool<Result>(header, std::move(view), std::move(body), std::move(done));
  }
  Result result = body(view, {.fill_cache = header.fill_cache, .cache_only = true});
  const bool miss = result.error.is_cache_miss();
  if (!view.StillCurrent()) {
    return ReadByQuorum<Result>(header, std::move(body), std::move(done));
  }
  if (!miss) return std::move(done)(std::move(result));
  // A direct view counts only while the region stays as it is, so the pool reads a snapshot.
  if (mode == ReadMode::kDirect && !engine_->TryLocalRead(header, ReadMode::kSnapshot, &view)) {
    return ReadByQuorum<Result>(header, std::move(body), std::move(done));
  }
  ReadOnPool<Result>(header, std::move(view), std::move(body), std::move(done));
}

template <class Result>
void RawStorage::ReadByQuorum(const RequestHeader& header, ReadBody<Result> body,
                              Callback<Result> done) {
  engine_->AsyncRead(header, [this, header, body = std::move(body),
                              done = std::move(done)](ReadResult granted) mutable {
    if (granted.error) {
      Result result;
      result.error = std::move(granted.error);
      return std::move(done)(std::move(result));
    }
    ReadOnPool<Result>(header, std::move(granted.view), std::move(body), std::move(done));
  });
}

template <class Result>
void RawStorage::ReadOnPool(const RequestHeader& header, RegionView view, ReadBody<Result> body,
                            Callback<Result> done) {
  struct Job {
    RegionView view;
    ReadBody<Result> body;
    Callback<Result> done;
  };
  auto job = std::make_shared<Job>(Job{std::move(view), std::move(body), std::move(done)});
  const auto refuse = [](Job* job, std::string reason, uint32_t wait_ms = 0) {
    Result result;
    result.error = RegionError::ServerIsBusy(std::move(reason), 0, wait_ms);
    std::move(job->done)(std::move(result));
  };
  if (header.busy_threshold.count() > 0 && PoolWait() > header.busy_threshold) {
    const auto wait = std::chrono::duration_cast<std::chrono::milliseconds>(PoolWait());
    return refuse(job.get(), "estimated wait time exceeds the threshold",
                  static_cast<uint32_t>(std::min<int64_t>(wait.count(), UINT32_MAX)));
  }
  pool_waiting_.fetch_add(1, std::memory_order_relaxed);
  const bool accepted = read_pool_->TryPost([this, header, job, refuse] {
    pool_waiting_.fetch_sub(1, std::memory_order_relaxed);
    const MonotonicTime begin = clock_->Now();
    if (begin >= header.deadline) return refuse(job.get(), "deadline is exceeded");
    Result result = job->body(job->view, {.fill_cache = header.fill_cache});
    job->view = RegionView();  // Releases the snapshot before the answer goes out.
    const int64_t mean = pool_task_nanos_.load(std::memory_order_relaxed);
    const int64_t took = (clock_->Now() - begin).count();
    pool_task_nanos_.store(mean + (took - mean) / 8, std::memory_order_relaxed);
    std::move(job->done)(std::move(result));
  });
  if (accepted) return;
  pool_waiting_.fetch_sub(1, std::memory_order_relaxed);
  refuse(job.get(), "scheduler is busy");
}

}  // namespace tikv::server
