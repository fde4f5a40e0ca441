// A ReplicatedEngine double: one region over the in-memory engine, no Raft.  For tests.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <utility>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/env/posix/file_system.h"
#include "server/port/replicated_engine.h"

namespace tikv::server {

// Single-threaded.  Writes are applied at once, or, while `hold_writes`, when ApplyHeld is called.
class FakeReplicatedEngine : public ReplicatedEngine {
 public:
  explicit FakeReplicatedEngine(std::string start = "", std::string end = "")
      : engine_(engine::NewMemEngine(&files_)), region_(std::make_shared<RegionRange>()) {
    auto region = std::make_shared<RegionRange>();
    region->id = RegionId(7);
    region->start = std::move(start);
    region->end = std::move(end);
    region->term = 6;
    region_ = std::move(region);
  }

  bool lease = true;         // TryLocalRead grants.
  bool hold_writes = false;  // Writes wait for ApplyHeld.
  uint64_t write_term = 6;   // A command that expects another term is refused.
  int writes = 0;
  RequestHeader last_read;  // Of AsyncRead.

  bool TryLocalRead(const RequestHeader&, ReadMode mode, RegionView* view) override {
    if (!lease) return false;
    *view = MakeView(mode);
    return true;
  }

  void AsyncRead(const RequestHeader& header, Callback<ReadResult> done) override {
    last_read = header;
    ReadResult result;
    result.view = MakeView(ReadMode::kSnapshot);
    std::move(done)(std::move(result));
  }

  void AsyncWrite(const RequestHeader&, WriteCommand command, Callback<WriteResult> done) override {
    held_.emplace_back(std::move(command), std::move(done));
    if (!hold_writes) ApplyHeld();
  }

  void ApplyHeld() {
    while (!held_.empty()) {
      auto [command, done] = std::move(held_.front());
      held_.pop_front();
      std::move(done)(Apply(command));
    }
  }

  engine::KvEngine& kv() { return *engine_; }

 private:
  RegionView MakeView(ReadMode mode) {
    if (mode == ReadMode::kDirect) return RegionView(region_, engine_.get(), nullptr);
    auto snapshot = engine_->GetSnapshot();
    const engine::Reader* reader = snapshot.get();
    return RegionView(region_, reader, std::move(snapshot));
  }

  WriteResult Apply(const WriteCommand& command) {
    WriteResult result;
    if (command.expected_term != 0 && command.expected_term != write_term) {
      result.error = RegionError::StaleCommand();
      return result;
    }
    engine::WriteBatch batch;
    CHECK(WriteCommand::AppendTo(command.encoded(), &batch).ok());
    CHECK(engine_->Write(&batch).ok());
    ++writes;
    return result;
  }

  PosixFileSystem files_;
  std::unique_ptr<engine::KvEngine> engine_;
  std::shared_ptr<const RegionRange> region_;
  std::deque<std::pair<WriteCommand, Callback<WriteResult>>> held_;
};

}  // namespace tikv::server
