// The read paths of RawStorage; included by its sources only.
#pragma once

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
    return ReadOnPool<Result>(header.deadline, std::move(view), std::move(body), std::move(done));
  }
  Result result = body(view, engine::ReadOptions{.cache_only = true});
  const bool miss = result.error.is_cache_miss();
  if (!view.StillCurrent()) {
    return ReadByQuorum<Result>(header, std::move(body), std::move(done));
  }
  if (!miss) return std::move(done)(std::move(result));
  // A direct view counts only while the region stays as it is, so the pool reads a snapshot.
  if (mode == ReadMode::kDirect && !engine_->TryLocalRead(header, ReadMode::kSnapshot, &view)) {
    return ReadByQuorum<Result>(header, std::move(body), std::move(done));
  }
  ReadOnPool<Result>(header.deadline, std::move(view), std::move(body), std::move(done));
}

template <class Result>
void RawStorage::ReadByQuorum(const RequestHeader& header, ReadBody<Result> body,
                              Callback<Result> done) {
  engine_->AsyncRead(header, [this, deadline = header.deadline, body = std::move(body),
                              done = std::move(done)](ReadResult granted) mutable {
    if (granted.error) {
      Result result;
      result.error = std::move(granted.error);
      return std::move(done)(std::move(result));
    }
    ReadOnPool<Result>(deadline, std::move(granted.view), std::move(body), std::move(done));
  });
}

template <class Result>
void RawStorage::ReadOnPool(MonotonicTime deadline, RegionView view, ReadBody<Result> body,
                            Callback<Result> done) {
  struct Job {
    RegionView view;
    ReadBody<Result> body;
    Callback<Result> done;
  };
  auto job = std::make_shared<Job>(Job{std::move(view), std::move(body), std::move(done)});
  const auto refuse = [](Job* job, std::string reason) {
    Result result;
    result.error = RegionError::ServerIsBusy(std::move(reason));
    std::move(job->done)(std::move(result));
  };
  const bool accepted = read_pool_->TryPost([this, deadline, job, refuse] {
    if (clock_->Now() >= deadline) return refuse(job.get(), "deadline is exceeded");
    Result result = job->body(job->view, engine::ReadOptions{});
    job->view = RegionView();  // Releases the snapshot before the answer goes out.
    std::move(job->done)(std::move(result));
  });
  if (!accepted) refuse(job.get(), "scheduler is busy");
}

}  // namespace tikv::server
