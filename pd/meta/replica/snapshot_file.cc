#include "pd/meta/replica/snapshot_file.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::pd::meta {
namespace {

using engine::Cf;

constexpr size_t kChunkBytes = 1 << 20;
constexpr size_t kHeaderBytes = 12;
// One value may be as large as a request.
constexpr uint64_t kMaxChunkBytes = uint64_t{1} << 30;

// In family `raft`, which is this member's own: index, term and path of the snapshot being
// installed, and index and term of the last one that was.
constexpr std::string_view kInstalling = "meta/installing";
constexpr std::string_view kInstalled = "meta/installed";

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

std::optional<std::string_view> TakeBytes(std::string_view* in) {
  std::optional<uint64_t> length = GetVarint(in);
  if (!length || *length > in->size()) return std::nullopt;
  std::string_view bytes = in->substr(0, *length);
  in->remove_prefix(*length);
  return bytes;
}

std::string WithHeader(const std::string& records) {
  std::string chunk;
  chunk.reserve(records.size() + kHeaderBytes);
  PutLittle32(&chunk, static_cast<uint32_t>(records.size()));
  PutLittle64(&chunk, XXH3_64bits(records.data(), records.size()));
  return chunk.append(records);
}

absl::Status Damaged(const std::string& path) {
  return DataLoss("the snapshot in {} is damaged", path);
}

// Reads the chunk at `offset`; the caller moves on by its size.
absl::StatusOr<std::string> ReadChunk(const File& file, uint64_t offset, const std::string& path) {
  std::string chunk(kHeaderBytes, '\0');
  ASSIGN_OR_RETURN(size_t n, file.ReadAt(offset, chunk.data(), kHeaderBytes));
  if (n != kHeaderBytes) return Damaged(path);
  const uint64_t length = GetLittle32(chunk);
  if (length > kMaxChunkBytes) return Damaged(path);
  chunk.resize(kHeaderBytes + length);
  ASSIGN_OR_RETURN(n, file.ReadAt(offset + kHeaderBytes, chunk.data() + kHeaderBytes, length));
  if (n != length || !ChunkIsIntact(chunk)) return Damaged(path);
  return chunk;
}

absl::Status Fill(FileSystem* fs, engine::KvEngine* engine, const std::string& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenOptions::Read()));
  engine::WriteBatch batch;
  batch.DeleteRange(Cf::kDefault, std::string_view("\0", 1), "\xff");
  RETURN_IF_ERROR(engine->Write(&batch));
  for (uint64_t offset = 0;;) {
    ASSIGN_OR_RETURN(std::string chunk, ReadChunk(*file, offset, path));
    if (ChunkIsLast(chunk)) return absl::OkStatus();
    offset += chunk.size();
    for (std::string_view rest = std::string_view(chunk).substr(kHeaderBytes); !rest.empty();) {
      auto key = TakeBytes(&rest);
      auto value = key ? TakeBytes(&rest) : std::nullopt;
      if (!value) return Damaged(path);
      batch.Put(Cf::kDefault, *key, *value);
    }
    RETURN_IF_ERROR(engine->Write(&batch));
  }
}

std::string Numbers(uint64_t index, uint64_t term) {
  std::string out;
  PutBig64(&out, index);
  PutBig64(&out, term);
  return out;
}

absl::Status FillAndMark(FileSystem* fs, engine::KvEngine* engine, const std::string& path,
                         const std::string& numbers) {
  RETURN_IF_ERROR(Fill(fs, engine, path));
  engine::WriteBatch batch;
  batch.Delete(Cf::kRaft, kInstalling);
  batch.Put(Cf::kRaft, kInstalled, numbers);
  RETURN_IF_ERROR(engine->Write(&batch));
  return engine->Sync();
}

}  // namespace

ChunkReader::ChunkReader(std::shared_ptr<const engine::Snapshot> state)
    : state_(std::move(state)), it_(state_->NewIterator(Cf::kDefault, {.fill_cache = false})) {
  it_->SeekToFirst();
}

absl::StatusOr<std::string> ChunkReader::Next() {
  std::string records;
  for (; it_->Valid() && records.size() < kChunkBytes; it_->Next()) {
    PutBytes(&records, it_->key());
    PutBytes(&records, it_->value());
  }
  RETURN_IF_ERROR(it_->status());
  done_ = records.empty();
  return WithHeader(records);
}

bool ChunkIsIntact(std::string_view chunk) {
  if (chunk.size() < kHeaderBytes) return false;
  std::string_view records = chunk.substr(kHeaderBytes);
  return GetLittle32(chunk) == records.size() &&
         GetLittle64(chunk.substr(4)) == XXH3_64bits(records.data(), records.size());
}

bool ChunkIsLast(std::string_view chunk) { return chunk.size() == kHeaderBytes; }

absl::Status InstallSnapshotFile(FileSystem* fs, engine::KvEngine* engine, const std::string& path,
                                 uint64_t index, uint64_t term) {
  // From here on a crash leaves the engine with a mixture; the mark says where the whole is.
  const std::string numbers = Numbers(index, term);
  engine::WriteBatch batch;
  batch.Put(Cf::kRaft, kInstalling, numbers + path);
  RETURN_IF_ERROR(engine->Write(&batch));
  RETURN_IF_ERROR(engine->Sync());
  return FillAndMark(fs, engine, path, numbers);
}

absl::StatusOr<InstalledSnapshot> FinishInstallation(FileSystem* fs, engine::KvEngine* engine) {
  std::string value;
  ASSIGN_OR_RETURN(bool cut_short, engine->Get(Cf::kRaft, kInstalling, &value));
  if (cut_short) {
    if (value.size() < 16) return DataLoss("the mark of a snapshot's installation is damaged");
    RETURN_IF_ERROR(FillAndMark(fs, engine, value.substr(16), value.substr(0, 16)));
  }
  ASSIGN_OR_RETURN(bool found, engine->Get(Cf::kRaft, kInstalled, &value));
  if (!found) return InstalledSnapshot{};
  if (value.size() != 16) return DataLoss("the mark of an installed snapshot is damaged");
  return InstalledSnapshot{GetBig64(value), GetBig64(std::string_view(value).substr(8))};
}

}  // namespace tikv::pd::meta
