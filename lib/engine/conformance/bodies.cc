#include "lib/engine/conformance/bodies.h"

#include <stdlib.h>

#include <filesystem>

#include "lib/base/check.h"
#include "lib/engine/mem/mem_engine.h"
#include "lib/engine/rocks/rocks_engine.h"

namespace tikv::engine {

Body::Body(const std::string& kind) {
  std::string pattern = std::filesystem::temp_directory_path() / "engine-XXXXXX";
  dir_ = mkdtemp(pattern.data());
  if (kind == "mem") {
    engine_ = NewMemEngine(&fs_);
    return;
  }
  RocksOptions options;
  options.dir = FilePath("db");
  auto engine = OpenRocksEngine(options);
  CHECK_OK(engine);
  engine_ = *std::move(engine);
}

Body::~Body() {
  engine_.reset();
  CHECK_OK(RemoveAll(&fs_, dir_));
}

namespace {

void Add(const Iterator& it, std::string* out) {
  if (!out->empty()) *out += ' ';
  out->append(it.key()).append("=").append(it.value());
}

}  // namespace

std::string Contents(const Reader& reader, Cf cf, const IteratorOptions& options) {
  std::string out;
  auto it = reader.NewIterator(cf, options);
  for (it->SeekToFirst(); it->Valid(); it->Next()) Add(*it, &out);
  CHECK_OK(it->status());
  return out;
}

std::string ContentsReversed(const Reader& reader, Cf cf, const IteratorOptions& options) {
  std::string out;
  auto it = reader.NewIterator(cf, options);
  for (it->SeekToLast(); it->Valid(); it->Prev()) Add(*it, &out);
  CHECK_OK(it->status());
  return out;
}

}  // namespace tikv::engine
