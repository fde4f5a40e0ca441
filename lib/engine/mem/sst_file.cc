#include "lib/engine/mem/sst_file.h"

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::engine {
namespace {

constexpr uint64_t kMaxFile = 1ull << 30;
constexpr size_t kChecksumSize = 8;

uint64_t Checksum(std::string_view bytes) {  // FNV-1a: enough against simulated damage.
  uint64_t h = 0xcbf29ce484222325ull;
  for (unsigned char c : bytes) h = (h ^ c) * 0x100000001b3ull;
  return h;
}

void PutBytes(std::string* out, std::string_view bytes) {
  PutVarint(out, bytes.size());
  out->append(bytes);
}

bool TakeBytes(std::string_view* in, std::string* out) {
  const auto size = GetVarint(in);
  if (!size || *size > in->size()) return false;
  out->assign(in->substr(0, *size));
  in->remove_prefix(*size);
  return true;
}

class MemSstWriter final : public SstWriter {
 public:
  MemSstWriter(FileSystem* fs, const std::string& path) : fs_(fs), path_(path) {}

  absl::Status Put(std::string_view key, std::string_view value) override {
    RETURN_IF_ERROR(AddKey('P', key));
    PutBytes(&body_, value);
    return absl::OkStatus();
  }
  absl::Status Delete(std::string_view key) override { return AddKey('D', key); }
  uint64_t byte_size() const override { return body_.size(); }
  uint64_t entries() const override { return entries_; }

  absl::Status Finish() override {
    if (entries_ == 0) return FailedPrecondition("an sst file needs at least one entry");
    std::string bytes;
    PutLittle64(&bytes, Checksum(body_));
    ASSIGN_OR_RETURN(auto file, fs_->Open(path_, OpenOptions::Replace()));
    RETURN_IF_ERROR(file->Append(bytes + body_));
    return file->Sync();
  }

 private:
  absl::Status AddKey(char type, std::string_view key) {
    if (entries_ > 0 && key <= last_key_) {
      return InvalidArgument("sst keys must ascend: {} after {}", Hex(key), Hex(last_key_));
    }
    last_key_ = key;
    ++entries_;
    body_ += type;
    PutBytes(&body_, key);
    return absl::OkStatus();
  }

  FileSystem* const fs_;
  const std::string path_;
  std::string body_;
  std::string last_key_;
  uint64_t entries_ = 0;
};

}  // namespace

std::unique_ptr<SstWriter> NewMemSstWriter(FileSystem* fs, const std::string& path) {
  return std::make_unique<MemSstWriter>(fs, path);
}

absl::StatusOr<SstEntries> ReadMemSst(FileSystem* fs, const std::string& path) {
  ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, path, kMaxFile));
  std::string_view in = bytes;
  if (in.size() < kChecksumSize || GetLittle64(in) != Checksum(in.substr(kChecksumSize))) {
    return DataLoss("sst {}: checksum mismatch", path);
  }
  in.remove_prefix(kChecksumSize);
  SstEntries entries;
  while (!in.empty()) {
    const char type = in.front();
    in.remove_prefix(1);
    std::string key, value;
    if (!TakeBytes(&in, &key)) return DataLoss("sst {}: malformed", path);
    if (type == 'P' && !TakeBytes(&in, &value)) return DataLoss("sst {}: malformed", path);
    entries.emplace_back(std::move(key),
                         type == 'P' ? std::optional(std::move(value)) : std::nullopt);
  }
  return entries;
}

}  // namespace tikv::engine
