#include "lib/raftlog/format.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/bytes.h"
#include "lib/base/check.h"

namespace tikv::raftlog {
namespace {

constexpr std::string_view kSegmentMagic = "TIKVRLOG";
constexpr uint32_t kVersion = 1;
constexpr size_t kSegmentHeaderSize = 8 + 4 + 4 + 8 + 8 + 8 + 8;
constexpr size_t kChecksumSize = 8;

enum ItemType : uint8_t {
  kEntry = 1,
  kHardState = 2,
  kKey = 3,
  kDeleteKey = 4,
  kCompact = 5,
  kRemove = 6,
};

uint64_t Hash(std::string_view bytes, uint64_t seed = 0) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

void PutHead(std::string* out, ItemType type, GroupId group) {
  *out += static_cast<char>(type);
  PutVarint(out, group);
}

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

// Reads a payload from the front; remembers whether anything was cut short.
class Parser {
 public:
  explicit Parser(std::string_view in) : in_(in) {}
  bool ok() const { return ok_; }
  bool done() const { return in_.empty(); }

  uint8_t Byte() {
    const auto byte = static_cast<uint8_t>(in_.front());
    in_.remove_prefix(1);
    return byte;
  }
  uint64_t Number() {
    const auto v = GetVarint(&in_);
    ok_ = ok_ && v.has_value();
    return v.value_or(0);
  }
  std::string_view Bytes() {
    const uint64_t size = Number();
    ok_ = ok_ && size <= in_.size();
    if (!ok_) return {};
    const std::string_view bytes = in_.substr(0, size);
    in_.remove_prefix(size);
    return bytes;
  }

 private:
  std::string_view in_;
  bool ok_ = true;
};

// One item; false when it is malformed.  Evaluated field by field: the order is the format.
bool VisitItem(Parser* in, ItemVisitor* visitor) {
  const uint8_t type = in->Byte();
  const GroupId group = in->Number();
  switch (type) {
    case kEntry: {
      const uint64_t index = in->Number();
      const uint64_t term = in->Number();
      const std::string_view data = in->Bytes();
      if (in->ok()) visitor->Entry(group, index, term, data);
      break;
    }
    case kHardState: {
      HardState state;
      state.term = in->Number();
      state.vote = in->Number();
      state.commit = in->Number();
      if (in->ok()) visitor->State(group, state);
      break;
    }
    case kKey: {
      const std::string_view key = in->Bytes();
      const std::string_view value = in->Bytes();
      if (in->ok()) visitor->Key(group, key, value);
      break;
    }
    case kDeleteKey: {
      const std::string_view key = in->Bytes();
      if (in->ok()) visitor->DeleteKey(group, key);
      break;
    }
    case kCompact: {
      const uint64_t index = in->Number();
      const uint64_t term = in->Number();
      if (in->ok()) visitor->Compact(group, index, term);
      break;
    }
    case kRemove:
      if (in->ok()) visitor->Remove(group);
      break;
    default:
      return false;
  }
  return in->ok();
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string out(kSegmentMagic);
  PutLittle32(&out, kVersion);
  PutLittle32(&out, 0);
  PutLittle64(&out, header.sequence);
  PutLittle64(&out, header.salt);
  PutLittle64(&out, header.previous_end);
  PutLittle64(&out, Hash(out));
  out.resize(kFirstRecord, '\0');
  return out;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderSize) return std::nullopt;
  const std::string_view body = bytes.substr(0, kSegmentHeaderSize - kChecksumSize);
  if (body.substr(0, 8) != kSegmentMagic || GetLittle32(body.substr(8)) != kVersion ||
      GetLittle64(bytes.substr(body.size())) != Hash(body)) {
    return std::nullopt;
  }
  return SegmentHeader{.sequence = GetLittle64(body.substr(16)),
                       .salt = GetLittle64(body.substr(24)),
                       .previous_end = GetLittle64(body.substr(32))};
}

uint32_t RecordMagic(uint64_t salt) { return static_cast<uint32_t>(salt) ^ 0x474c4654u; }

void SealRecord(std::string* record, uint64_t salt, uint64_t durable_end) {
  CHECK_GE(record->size(), kRecordHeaderSize);
  const RecordHeader h{.magic = RecordMagic(salt),
                       .payload_size = static_cast<uint32_t>(record->size() - kRecordHeaderSize),
                       .durable_end = durable_end};
  char* p = record->data();
  std::memcpy(p + 8, &h.magic, 4);  // Little endian, as x86 and ARM are.
  std::memcpy(p + 12, &h.payload_size, 4);
  std::memcpy(p + 16, &h.durable_end, 8);
  const uint64_t checksum = Hash(std::string_view(*record).substr(kChecksumSize), salt);
  std::memcpy(p, &checksum, 8);
}

RecordHeader DecodeRecordHeader(std::string_view bytes) {
  return {.checksum = GetLittle64(bytes),
          .magic = GetLittle32(bytes.substr(8)),
          .payload_size = GetLittle32(bytes.substr(12)),
          .durable_end = GetLittle64(bytes.substr(16))};
}

bool ChecksumMatches(std::string_view record, uint64_t salt) {
  return GetLittle64(record) == Hash(record.substr(kChecksumSize), salt);
}

uint32_t EntryChecksum(std::string_view data) { return static_cast<uint32_t>(Hash(data)); }

void PutEntryItem(std::string* out, GroupId group, uint64_t index, uint64_t term,
                  std::string_view data) {
  PutHead(out, kEntry, group);
  PutVarint(out, index);
  PutVarint(out, term);
  PutBytes(out, data);
}

void PutHardStateItem(std::string* out, GroupId group, const HardState& state) {
  PutHead(out, kHardState, group);
  PutVarint(out, state.term);
  PutVarint(out, state.vote);
  PutVarint(out, state.commit);
}

void PutKeyItem(std::string* out, GroupId group, std::string_view key, std::string_view value) {
  PutHead(out, kKey, group);
  PutBytes(out, key);
  PutBytes(out, value);
}

void PutDeleteKeyItem(std::string* out, GroupId group, std::string_view key) {
  PutHead(out, kDeleteKey, group);
  PutBytes(out, key);
}

void PutCompactItem(std::string* out, GroupId group, uint64_t index, uint64_t term) {
  PutHead(out, kCompact, group);
  PutVarint(out, index);
  PutVarint(out, term);
}

void PutRemoveItem(std::string* out, GroupId group) { PutHead(out, kRemove, group); }

bool VisitItems(std::string_view payload, ItemVisitor* visitor) {
  Parser in(payload);
  while (!in.done()) {
    if (!VisitItem(&in, visitor)) return false;
  }
  return true;
}

}  // namespace tikv::raftlog
