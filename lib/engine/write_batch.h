// A list of changes that an engine applies atomically.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "lib/engine/column_family.h"

namespace tikv::engine {

// Appending costs one copy of key and value and no virtual call.  The bytes are laid out as
// RocksDB lays out its own batches, so that rocks/ hands them over without a second copy (mem/
// and the conformance suite read them through ForEach).  Not thread-safe.
class WriteBatch {
 public:
  WriteBatch();

  void Put(Cf cf, std::string_view key, std::string_view value);
  void Delete(Cf cf, std::string_view key);
  // Deletes [begin, end).  REQUIRES: `end` is not empty.  Slows reads down until compacted: for
  // whole regions, not for a handful of keys.
  void DeleteRange(Cf cf, std::string_view begin, std::string_view end);
  // All of `other`'s changes after ours.
  void Append(const WriteBatch& other);
  void Clear();  // Keeps the memory.

  bool empty() const { return count_ == 0; }
  uint32_t count() const { return count_; }
  size_t byte_size() const { return rep_.size(); }

  // A place to return to: `auto mark = b.Here(); ... b.RollBackTo(mark);` forgets what was added
  // since.
  struct Mark {
    size_t size;
    uint32_t count;
  };
  Mark Here() const { return {rep_.size(), count_}; }
  void RollBackTo(Mark mark);

  // Receives the changes in order; the views live as long as the batch is unchanged.
  class Visitor {
   public:
    virtual ~Visitor() = default;
    virtual void Put(Cf cf, std::string_view key, std::string_view value) = 0;
    virtual void Delete(Cf cf, std::string_view key) = 0;
    virtual void DeleteRange(Cf cf, std::string_view begin, std::string_view end) = 0;
  };
  void ForEach(Visitor* visitor) const;

  // For engines: the representation with its count filled in, and its memory given back (emptied).
  std::string TakeRep();
  void ReturnRep(std::string rep);

 private:
  void AddHeader(uint8_t tag_default_cf, uint8_t tag_other_cf, Cf cf);
  void AddBytes(std::string_view bytes);

  std::string rep_;
  uint32_t count_ = 0;
};

}  // namespace tikv::engine
