#include "server/port/write_command.h"

#include <optional>

#include "lib/base/bytes.h"
#include "lib/base/check.h"
#include "lib/base/status.h"
#include "lib/engine/write_batch.h"
#include "server/codec/keys.h"

namespace tikv::server {
namespace {

enum Kind : uint8_t { kPut = 1, kDelete = 2, kDeleteRange = 3 };

void AppendKind(std::string* out, Kind kind, engine::Cf cf) {
  out->push_back(static_cast<char>(kind | (static_cast<uint8_t>(cf) << 4)));
}

void AppendDataKey(std::string* out, std::string_view key) {
  PutVarint(out, key.size() + 1);
  out->push_back(kDataPrefix);
  out->append(key);
}

std::optional<std::string_view> ReadBytes(std::string_view* in) {
  const auto size = GetVarint(in);
  if (!size.has_value() || *size > in->size()) return std::nullopt;
  const std::string_view bytes = in->substr(0, *size);
  in->remove_prefix(*size);
  return bytes;
}

std::optional<std::string_view> ReadDataKey(std::string_view* in) {
  auto key = ReadBytes(in);
  if (!key.has_value() || key->empty() || key->front() != kDataPrefix) return std::nullopt;
  return key;
}

// One operation from the front of *in; false when the bytes make no sense.
bool AppendOne(std::string_view* in, engine::WriteBatch* batch) {
  const auto head = static_cast<uint8_t>(in->front());
  in->remove_prefix(1);
  const uint8_t family = head >> 4;
  if (family > static_cast<uint8_t>(engine::Cf::kWrite)) return false;
  const auto cf = static_cast<engine::Cf>(family);
  const auto key = ReadDataKey(in);
  if (!key.has_value()) return false;
  switch (head & 0x0F) {
    case kPut: {
      const auto value = ReadBytes(in);
      if (!value.has_value()) return false;
      batch->Put(cf, *key, *value);
      return true;
    }
    case kDelete:
      batch->Delete(cf, *key);
      return true;
    case kDeleteRange: {
      const auto end = ReadDataKey(in);
      if (!end.has_value() || *end <= *key) return false;
      batch->DeleteRange(cf, *key, *end);
      return true;
    }
    default:
      return false;
  }
}

}  // namespace

void WriteCommand::Put(engine::Cf cf, std::string_view key, std::string_view value) {
  has_puts_ = true;
  AppendKind(&encoded_, kPut, cf);
  AppendDataKey(&encoded_, key);
  PutVarint(&encoded_, value.size());
  encoded_.append(value);
  Extend(key, key, false);
}

void WriteCommand::Delete(engine::Cf cf, std::string_view key) {
  AppendKind(&encoded_, kDelete, cf);
  AppendDataKey(&encoded_, key);
  Extend(key, key, false);
}

void WriteCommand::DeleteRange(engine::Cf cf, std::string_view start, std::string_view end) {
  CHECK(start < end) << Hex(start) << ".." << Hex(end);
  AppendKind(&encoded_, kDeleteRange, cf);
  AppendDataKey(&encoded_, start);
  AppendDataKey(&encoded_, end);
  Extend(start, end, true);
}

void WriteCommand::Extend(std::string_view first, std::string_view last, bool last_is_end) {
  ++operations_;
  const bool fresh = !has_keys_;
  has_keys_ = true;
  if (fresh || first < first_key_) first_key_ = first;
  if (fresh || last > last_key_) {
    last_key_ = last;
    last_is_end_ = last_is_end;
  } else if (last == last_key_) {
    last_is_end_ = last_is_end_ && last_is_end;
  }
}

absl::Status WriteCommand::AppendTo(std::string_view encoded, engine::WriteBatch* batch) {
  const auto mark = batch->Here();
  while (!encoded.empty()) {
    if (AppendOne(&encoded, batch)) continue;
    batch->RollBackTo(mark);
    return InvalidArgument("malformed write command, {} bytes from its end", encoded.size());
  }
  return absl::OkStatus();
}

}  // namespace tikv::server
