#include "lib/engine/write_batch.h"

#include "lib/base/bytes.h"
#include "lib/base/check.h"

namespace tikv::engine {
namespace {

// RocksDB's batch: 8 bytes for a sequence number, 4 for the count, then per change a tag, the
// family's number unless it is the default, and length-prefixed strings.
constexpr size_t kHeaderSize = 12;
constexpr size_t kCountOffset = 8;

enum Tag : uint8_t {
  kDeletion = 0x0,
  kValue = 0x1,
  kCfDeletion = 0x4,
  kCfValue = 0x5,
  kCfRangeDeletion = 0xE,
  kRangeDeletion = 0xF,
};

// Lengths are below 2^32: one more byte than a varint32 needs does not occur.
std::string_view TakeBytes(std::string_view* in) {
  const auto size = GetVarint(in);
  CHECK(size.has_value() && *size <= in->size()) << "malformed write batch";
  const std::string_view bytes = in->substr(0, *size);
  in->remove_prefix(*size);
  return bytes;
}

Cf TakeCf(std::string_view* in) {
  const auto id = GetVarint(in);
  CHECK(id.has_value() && *id < kCfCount) << "malformed write batch";
  return static_cast<Cf>(*id);
}

}  // namespace

WriteBatch::WriteBatch() : rep_(kHeaderSize, '\0') {}

void WriteBatch::AddHeader(uint8_t tag_default_cf, uint8_t tag_other_cf, Cf cf) {
  if (cf == Cf::kDefault) {
    rep_ += static_cast<char>(tag_default_cf);
  } else {
    rep_ += static_cast<char>(tag_other_cf);
    rep_ += static_cast<char>(cf);
  }
  ++count_;
}

void WriteBatch::AddBytes(std::string_view bytes) {
  PutVarint(&rep_, bytes.size());
  rep_.append(bytes);
}

void WriteBatch::Put(Cf cf, std::string_view key, std::string_view value) {
  AddHeader(kValue, kCfValue, cf);
  AddBytes(key);
  AddBytes(value);
}

void WriteBatch::Delete(Cf cf, std::string_view key) {
  AddHeader(kDeletion, kCfDeletion, cf);
  AddBytes(key);
}

void WriteBatch::DeleteRange(Cf cf, std::string_view begin, std::string_view end) {
  CHECK(!end.empty()) << "a range deletion needs an end";
  if (begin >= end) return;  // An engine may refuse an empty range; it deletes nothing.
  AddHeader(kRangeDeletion, kCfRangeDeletion, cf);
  AddBytes(begin);
  AddBytes(end);
}

void WriteBatch::Append(const WriteBatch& other) {
  rep_.append(other.rep_, kHeaderSize, std::string::npos);
  count_ += other.count_;
}

void WriteBatch::Clear() {
  rep_.resize(kHeaderSize);
  count_ = 0;
}

void WriteBatch::RollBackTo(Mark mark) {
  CHECK_LE(mark.size, rep_.size());
  rep_.resize(mark.size);
  count_ = mark.count;
}

void WriteBatch::ForEach(Visitor* visitor) const {
  std::string_view in = rep_;
  in.remove_prefix(kHeaderSize);
  while (!in.empty()) {
    const auto tag = static_cast<uint8_t>(in.front());
    in.remove_prefix(1);
    const bool is_default = tag == kDeletion || tag == kValue || tag == kRangeDeletion;
    const Cf cf = is_default ? Cf::kDefault : TakeCf(&in);
    const std::string_view key = TakeBytes(&in);
    switch (tag) {
      case kDeletion:
      case kCfDeletion:
        visitor->Delete(cf, key);
        break;
      case kValue:
      case kCfValue:
        visitor->Put(cf, key, TakeBytes(&in));
        break;
      case kRangeDeletion:
      case kCfRangeDeletion:
        visitor->DeleteRange(cf, key, TakeBytes(&in));
        break;
      default:
        CHECK(false) << "unknown tag " << int{tag} << " in a write batch";
    }
  }
}

std::string WriteBatch::TakeRep() {
  std::memcpy(rep_.data() + kCountOffset, &count_, sizeof(count_));  // Little endian, as x86 is.
  count_ = 0;
  return std::move(rep_);
}

void WriteBatch::ReturnRep(std::string rep) {
  rep_ = std::move(rep);
  rep_.resize(kHeaderSize);
  std::fill_n(rep_.begin(), kHeaderSize, '\0');
  count_ = 0;
}

}  // namespace tikv::engine
