#include "server/raftstore/snapshot/chunks.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <optional>

#include "lib/base/bytes.h"
#include "lib/base/status.h"
#include "server/codec/keys.h"

namespace tikv::server {
namespace {

constexpr size_t kHeadBytes = 8 + 1;
constexpr uint8_t kLastFamily = 0xFF;

// Fills in the checksum of a chunk that was built behind eight bytes of room.
void Seal(std::string* chunk) {
  std::string sum;
  PutLittle64(&sum, XXH3_64bits(chunk->data() + 8, chunk->size() - 8));
  chunk->replace(0, 8, sum);
}

std::optional<std::string_view> TakeBytes(std::string_view* in) {
  const auto size = GetVarint(in);
  if (!size.has_value() || *size > in->size()) return std::nullopt;
  const std::string_view bytes = in->substr(0, *size);
  in->remove_prefix(*size);
  return bytes;
}

}  // namespace

SnapshotReader::SnapshotReader(std::shared_ptr<const engine::Snapshot> data, std::string_view start,
                               std::string_view end, size_t chunk_bytes)
    : data_(std::move(data)),
      lower_(DataKey(start)),
      upper_(DataEndKey(end)),
      chunk_bytes_(chunk_bytes) {}

absl::StatusOr<bool> SnapshotReader::Next(std::string* chunk) {
  if (done_) return false;
  while (family_ < engine::kDataCfs.size()) {
    if (iterator_ == nullptr) {
      iterator_ = data_->NewIterator(engine::kDataCfs[family_],
                                     {.lower = lower_, .upper = upper_, .fill_cache = false});
      iterator_->SeekToFirst();
    }
    if (iterator_->Valid()) {
      RETURN_IF_ERROR(FillFrom(chunk));
      ++chunks_;
      return true;
    }
    RETURN_IF_ERROR(iterator_->status());
    iterator_.reset();
    ++family_;
  }
  *chunk = LastChunk();
  done_ = true;
  return true;
}

absl::Status SnapshotReader::FillFrom(std::string* chunk) {
  chunk->assign(8, '\0');
  chunk->push_back(static_cast<char>(engine::kDataCfs[family_]));
  for (; iterator_->Valid() && chunk->size() < chunk_bytes_; iterator_->Next()) {
    PutVarint(chunk, iterator_->key().size());
    chunk->append(iterator_->key());
    PutVarint(chunk, iterator_->value().size());
    chunk->append(iterator_->value());
    ++keys_;
  }
  Seal(chunk);
  return iterator_->status();
}

std::string SnapshotReader::LastChunk() const {
  std::string chunk(8, '\0');
  chunk.push_back(static_cast<char>(kLastFamily));
  PutVarint(&chunk, keys_);
  PutVarint(&chunk, chunks_);
  Seal(&chunk);
  return chunk;
}

SnapshotBuilder::SnapshotBuilder(engine::KvEngine* engine, FileSystem* fs, std::string dir,
                                 std::string_view start, std::string_view end)
    : engine_(engine),
      lower_(DataKey(start)),
      upper_(DataEndKey(end)),
      files_(std::make_shared<SnapshotFiles>(fs, std::move(dir))) {}

SnapshotBuilder::~SnapshotBuilder() = default;

absl::Status SnapshotBuilder::Add(std::string_view chunk) {
  if (complete_) return InvalidArgument("snapshot chunk after the last one");
  if (chunk.size() < kHeadBytes) return InvalidArgument("snapshot chunk is cut off");
  if (GetLittle64(chunk) != XXH3_64bits(chunk.data() + 8, chunk.size() - 8)) {
    return InvalidArgument("snapshot chunk {} has a wrong checksum", chunks_);
  }
  const auto family = static_cast<uint8_t>(chunk[8]);
  chunk.remove_prefix(kHeadBytes);
  if (family == kLastFamily) return AddLast(chunk);
  if (family > static_cast<uint8_t>(engine::Cf::kWrite) || family < family_) {
    return InvalidArgument("snapshot chunk of family {} after {}", family, family_);
  }
  ++chunks_;
  return AddPairs(static_cast<engine::Cf>(family), chunk);
}

absl::Status SnapshotBuilder::AddPairs(engine::Cf cf, std::string_view pairs) {
  while (!pairs.empty()) {
    const auto key = TakeBytes(&pairs);
    const auto value = key.has_value() ? TakeBytes(&pairs) : std::nullopt;
    if (!value.has_value()) return InvalidArgument("snapshot chunk {} is malformed", chunks_);
    RETURN_IF_ERROR(AddPair(cf, *key, *value));
  }
  return absl::OkStatus();
}

absl::Status SnapshotBuilder::AddPair(engine::Cf cf, std::string_view key, std::string_view value) {
  if (key < lower_ || key >= upper_) return InvalidArgument("snapshot key {} outside", Hex(key));
  if (static_cast<int>(cf) == family_ && key <= last_key_) {
    return InvalidArgument("snapshot key {} is not in order", Hex(key));
  }
  if (static_cast<int>(cf) != family_ ||
      (writer_ != nullptr && writer_->byte_size() >= kFileBytes)) {
    RETURN_IF_ERROR(CloseFile());
  }
  if (writer_ == nullptr) RETURN_IF_ERROR(OpenFile(cf));
  family_ = static_cast<int>(cf);
  last_key_ = key;
  ++keys_;
  files_->bytes += key.size() + value.size();
  return writer_->Put(key, value);
}

absl::Status SnapshotBuilder::OpenFile(engine::Cf cf) {
  if (!created_) RETURN_IF_ERROR(files_->fs->CreateDirs(files_->dir));
  created_ = true;
  const std::string path =
      JoinPath(files_->dir, fmt::format("{}_{}.sst", CfName(cf), files_->files.size()));
  ASSIGN_OR_RETURN(writer_, engine_->NewSstWriter(cf, path));
  files_->files.emplace_back(cf, path);
  return absl::OkStatus();
}

absl::Status SnapshotBuilder::CloseFile() {
  if (writer_ == nullptr) return absl::OkStatus();
  auto writer = std::move(writer_);
  return writer->Finish();
}

absl::Status SnapshotBuilder::AddLast(std::string_view counts) {
  const auto keys = GetVarint(&counts);
  const auto chunks = keys.has_value() ? GetVarint(&counts) : std::nullopt;
  if (!chunks.has_value() || !counts.empty() || *keys != keys_ || *chunks != chunks_) {
    return InvalidArgument("snapshot has {} keys in {} chunks, which its end contradicts", keys_,
                           chunks_);
  }
  RETURN_IF_ERROR(CloseFile());
  complete_ = true;
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<SnapshotFiles>> SnapshotBuilder::Finish() {
  if (!complete_) return InvalidArgument("snapshot ended early, after {} chunks", chunks_);
  return std::move(files_);
}

}  // namespace tikv::server
