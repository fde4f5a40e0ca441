#include "lib/raftlog/format.h"
#include "lib/raftlog/raft_log.h"

namespace tikv::raftlog {

LogBatch::LogBatch() : record_(kRecordHeaderSize, '\0') {}

void LogBatch::AppendEntry(GroupId group, uint64_t index, uint64_t term, std::string_view data) {
  PutEntryItem(&record_, group, index, term, data);
}

void LogBatch::SetHardState(GroupId group, const HardState& state) {
  PutHardStateItem(&record_, group, state);
}

void LogBatch::Put(GroupId group, std::string_view key, std::string_view value) {
  PutKeyItem(&record_, group, key, value);
}

void LogBatch::Delete(GroupId group, std::string_view key) {
  PutDeleteKeyItem(&record_, group, key);
}

void LogBatch::CompactTo(GroupId group, uint64_t index, uint64_t term) {
  PutCompactItem(&record_, group, index, term);
}

void LogBatch::RemoveGroup(GroupId group) { PutRemoveItem(&record_, group); }

bool LogBatch::empty() const { return record_.size() <= kRecordHeaderSize; }
size_t LogBatch::byte_size() const { return record_.size(); }
void LogBatch::Clear() { record_.resize(kRecordHeaderSize); }

}  // namespace tikv::raftlog
