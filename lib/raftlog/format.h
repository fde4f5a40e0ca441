// The bytes of a segment file; format.md is the text to this code.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "lib/raftlog/raft_log.h"

namespace tikv::raftlog {

// Unit in which disks tear.  Records begin on one, so that a write can never damage the sector of
// a record that was acknowledged before.
inline constexpr uint64_t kSector = 512;
inline constexpr uint64_t kFirstRecord = kSector;  // The segment header has the first sector.
inline constexpr size_t kRecordHeaderSize = 24;
inline constexpr uint64_t kMaxRecordSize = 1 << 30;

constexpr uint64_t AlignToSector(uint64_t n) { return (n + kSector - 1) / kSector * kSector; }

// The first sector of a segment.
struct SegmentHeader {
  uint64_t sequence = 0;
  uint64_t salt = 0;          // Random per life of the file: tells its records from stale ones.
  uint64_t previous_end = 0;  // Where the segment before this one ends.
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
// nullopt: not a header (wrong magic, version or checksum).
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

// What stands before a record's payload.
struct RecordHeader {
  uint64_t checksum = 0;
  uint32_t magic = 0;
  uint32_t payload_size = 0;
  uint64_t durable_end = 0;  // Up to here the segment was durable when the record was written.
};

uint32_t RecordMagic(uint64_t salt);
// Fills the first kRecordHeaderSize bytes of `record` for the payload after them.
void SealRecord(std::string* record, uint64_t salt, uint64_t durable_end);
// REQUIRES: at least kRecordHeaderSize bytes.
RecordHeader DecodeRecordHeader(std::string_view bytes);
// `record` is header and payload.
bool ChecksumMatches(std::string_view record, uint64_t salt);

// Of one entry's data, kept in the index to verify single reads.
uint32_t EntryChecksum(std::string_view data);

// Payload items, appended.
void PutEntryItem(std::string* out, GroupId group, uint64_t index, uint64_t term,
                  std::string_view data);
void PutHardStateItem(std::string* out, GroupId group, const HardState& state);
void PutKeyItem(std::string* out, GroupId group, std::string_view key, std::string_view value);
void PutDeleteKeyItem(std::string* out, GroupId group, std::string_view key);
void PutCompactItem(std::string* out, GroupId group, uint64_t index, uint64_t term);
void PutRemoveItem(std::string* out, GroupId group);

// Receives the items of a payload in order.  Views point into the payload.
class ItemVisitor {
 public:
  virtual ~ItemVisitor() = default;
  virtual void Entry(GroupId group, uint64_t index, uint64_t term, std::string_view data) = 0;
  virtual void State(GroupId group, const HardState& state) = 0;
  virtual void Key(GroupId group, std::string_view key, std::string_view value) = 0;
  virtual void DeleteKey(GroupId group, std::string_view key) = 0;
  virtual void Compact(GroupId group, uint64_t index, uint64_t term) = 0;
  virtual void Remove(GroupId group) = 0;
};

// False when the payload is malformed (after the visitor saw the items before).
bool VisitItems(std::string_view payload, ItemVisitor* visitor);

}  // namespace tikv::raftlog
