// WriteCommand: the changes of one request to one region, encoded once, on the thread that
// decoded the request, into the bytes that the Raft entry carries.
//
// Format: operations one after the other, each
//   1 byte   kind (low 4 bits: 1 put, 2 delete, 3 delete range), column family (high 4 bits)
//   varint   length of the data key, then the data key ('z' + key)
//   varint   put: length of the value, value; delete range: length of the data end key, end key
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "lib/engine/column_family.h"

namespace tikv::engine {
class WriteBatch;
}

namespace tikv::server {

// Keys are user keys, without the data prefix.  Not thread-safe.
class WriteCommand {
 public:
  void Put(engine::Cf cf, std::string_view key, std::string_view value);
  void Delete(engine::Cf cf, std::string_view key);
  // [start, end).  REQUIRES: `end` is not empty, start < end.
  void DeleteRange(engine::Cf cf, std::string_view start, std::string_view end);

  bool empty() const { return encoded_.empty(); }
  size_t byte_size() const { return encoded_.size(); }
  const std::string& encoded() const { return encoded_; }

  // All keys lie in [first_key, last_key], or [first_key, last_key) when last_is_end.  Checked
  // against the region when proposed.
  const std::string& first_key() const { return first_key_; }
  const std::string& last_key() const { return last_key_; }
  bool last_is_end() const { return last_is_end_; }
  // Whether it only removes: such commands are taken on a disk that is almost full.
  bool only_deletes() const { return !has_puts_; }
  size_t operations() const { return operations_; }

  // When not 0, the command is proposed in exactly this term or refused with StaleCommand: the
  // guard of read-then-write (compare and swap), whose latch is worth nothing once another store
  // has led in between.
  uint64_t expected_term = 0;

  // Puts the operations of an encoded command into a batch for the engine; InvalidArgument and
  // the batch as it was when the bytes are no valid command.
  static absl::Status AppendTo(std::string_view encoded, engine::WriteBatch* batch);

 private:
  void Extend(std::string_view first, std::string_view last, bool last_is_end);

  std::string encoded_;
  std::string first_key_;
  std::string last_key_;
  bool has_keys_ = false;
  bool last_is_end_ = false;
  bool has_puts_ = false;
  size_t operations_ = 0;
};

}  // namespace tikv::server
