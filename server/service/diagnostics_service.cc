#include "server/service/diagnostics_service.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/status.h"
#include "server/service/log_search.h"

namespace tikv::server {
namespace {

using diagnosticspb::ServerInfoItem;
using diagnosticspb::ServerInfoRequest;
using diagnosticspb::ServerInfoResponse;
using diagnosticspb::ServerInfoType;

// Calls f(line) for each line.
template <class F>
void ForEachLine(std::string_view text, F f) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    f(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

std::string_view Trim(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

ServerInfoItem* AddItem(std::string_view type, std::string_view name, ServerInfoResponse* out) {
  ServerInfoItem* item = out->add_items();
  item->set_tp(std::string(type));
  item->set_name(std::string(name));
  return item;
}

void AddPair(std::string_view key, std::string_view value, ServerInfoItem* item) {
  auto* pair = item->add_pairs();
  pair->set_key(std::string(key));
  pair->set_value(std::string(value));
}

std::string ReadProc(FileSystem* files, const std::string& path) {
  absl::StatusOr<std::unique_ptr<File>> file = files->Open(path, OpenOptions::Read());
  if (!file.ok()) return "";
  // Files in /proc have no size; they are read until they end.
  constexpr size_t kMost = 1 << 20;
  std::string text(kMost, '\0');
  size_t filled = 0;
  while (filled < kMost) {
    const absl::StatusOr<size_t> n = (*file)->ReadAt(filled, text.data() + filled, kMost - filled);
    if (!n.ok() || *n == 0) break;
    filled += *n;
  }
  text.resize(filled);
  return text;
}

// /proc/meminfo in bytes, by name.
std::map<std::string, uint64_t> MemoryInfo(FileSystem* files) {
  std::map<std::string, uint64_t> out;
  ForEachLine(ReadProc(files, "/proc/meminfo"), [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string_view text = Trim(line.substr(colon + 1));
    uint64_t kilobytes = 0;
    std::from_chars(text.data(), text.data() + text.size(), kilobytes);
    out[std::string(line.substr(0, colon))] = kilobytes << 10;
  });
  return out;
}

void AddShares(uint64_t total, uint64_t free, ServerInfoItem* item) {
  const uint64_t used = total - std::min(total, free);
  const auto share = [&](uint64_t part) {
    return fmt::format("{:.2f}",
                       total == 0 ? 0 : static_cast<double>(part) / static_cast<double>(total));
  };
  AddPair("total", std::to_string(total), item);
  AddPair("free", std::to_string(free), item);
  AddPair("used", std::to_string(used), item);
  AddPair("free-percent", share(free), item);
  AddPair("used-percent", share(used), item);
}

// What may wait for a client that does not read.
constexpr size_t kMaxPendingBytes = size_t{32} << 20;

// One call of search_log: a request, then answers.
class SearchHandler : public rpc::TypedStreamHandler<diagnosticspb::SearchLogRequest> {
 public:
  using Start = std::function<void(const diagnosticspb::SearchLogRequest&)>;
  explicit SearchHandler(Start start) : start_(std::move(start)) {}
  void OnMessage(const diagnosticspb::SearchLogRequest& request) override {
    if (start_) std::exchange(start_, nullptr)(request);
  }
  void OnHalfClose() override {}
  void OnClosed(const absl::Status&) override {}

 private:
  Start start_;
};

}  // namespace

void DiagnosticsService::Search(const diagnosticspb::SearchLogRequest& request,
                                rpc::TypedStream<diagnosticspb::SearchLogResponse> stream) const {
  auto search = LogSearch::Create(request);
  if (!search.ok()) return stream.Finish(search.status());
  auto shared = std::make_shared<LogSearch>(*std::move(search));
  const bool accepted = background_->TryPost([this, shared, stream] {
    absl::Status status =
        shared->Run(files_, log_files_, [&](std::vector<diagnosticspb::LogMessage> messages) {
          diagnosticspb::SearchLogResponse response;
          for (auto& message : messages) *response.add_messages() = std::move(message);
          return stream.pending_bytes() < kMaxPendingBytes && stream.Send(response);
        });
    stream.Finish(std::move(status));
  });
  if (!accepted) stream.Finish(ResourceExhausted("too many requests wait"));
}

void DiagnosticsService::Register(rpc::Server* server) {
  rpc::Stream<diagnosticspb::SearchLogRequest, diagnosticspb::SearchLogResponse>(
      *server, "/diagnosticspb.Diagnostics/search_log",
      [this](rpc::TypedStream<diagnosticspb::SearchLogResponse> stream, const rpc::CallContext&) {
        return std::make_unique<SearchHandler>(
            [this, stream](const diagnosticspb::SearchLogRequest& request) {
              Search(request, stream);
            });
      });
  rpc::Unary<ServerInfoRequest, Response>(
      *server, "/diagnosticspb.Diagnostics/server_info",
      [this](const ServerInfoRequest& request, const rpc::CallContext&,
             rpc::Responder<Response> responder) {
        auto shared = std::make_shared<rpc::Responder<Response>>(std::move(responder));
        const bool accepted = background_->TryPost(
            [this, type = request.tp(), shared] { shared->Reply(Collect(type)); });
        if (!accepted) shared->Fail(ResourceExhausted("too many requests wait"));
      });
}

DiagnosticsService::Response DiagnosticsService::Collect(ServerInfoType type) const {
  Response out;
  const bool all = type == diagnosticspb::All;
  if (all || type == diagnosticspb::HardwareInfo) AddHardware(&out);
  if (all || type == diagnosticspb::LoadInfo) AddLoad(&out);
  if (all || type == diagnosticspb::SystemInfo) AddSystem(&out);
  return out;
}

void DiagnosticsService::AddHardware(Response* out) const {
  std::map<std::string, std::string> cpu;  // What the last processor says.
  std::set<std::string> physical;
  int logical = 0;
  ForEachLine(ReadProc(files_, "/proc/cpuinfo"), [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    const std::string key(Trim(line.substr(0, colon)));
    cpu[key] = Trim(line.substr(colon + 1));
    if (key == "processor") ++logical;
    if (key == "core id") physical.insert(cpu["physical id"] + "/" + cpu[key]);
  });
  ServerInfoItem* item = AddItem("cpu", "cpu", out);
  AddPair("cpu-logical-cores", std::to_string(logical), item);
  AddPair("cpu-physical-cores",
          std::to_string(physical.empty() ? logical : static_cast<int>(physical.size())), item);
  AddPair("cpu-frequency", cpu["cpu MHz"] + "MHz", item);
  AddPair("cpu-vendor-id", cpu["vendor_id"], item);
  AddPair("cpu-model", cpu["model name"], item);
  AddPair("capacity", std::to_string(MemoryInfo(files_)["MemTotal"]),
          AddItem("memory", "memory", out));
  const auto space = files_->Space(data_dir_);
  if (!space.ok()) return;
  ServerInfoItem* disk = AddItem("disk", "data", out);
  AddPair("path", data_dir_, disk);
  AddShares(space->capacity, space->available, disk);
}

void DiagnosticsService::AddLoad(Response* out) const {
  auto memory = MemoryInfo(files_);
  AddShares(memory["MemTotal"], memory["MemAvailable"], AddItem("memory", "virtual", out));
  AddShares(memory["SwapTotal"], memory["SwapFree"], AddItem("memory", "swap", out));
  ServerInfoItem* cpu = AddItem("cpu", "cpu", out);
  const std::string load = ReadProc(files_, "/proc/loadavg");
  std::string_view rest = load;
  for (const char* name : {"load1", "load5", "load15"}) {
    const size_t space = rest.find(' ');
    AddPair(name, rest.substr(0, space), cpu);
    if (space == std::string_view::npos) break;
    rest.remove_prefix(space + 1);
  }
}

void DiagnosticsService::AddSystem(Response* out) const {
  ServerInfoItem* item = AddItem("system", "sysctl", out);
  for (const char* name : {"kernel/osrelease", "kernel/hostname", "vm/swappiness",
                           "vm/overcommit_memory", "fs/file-max", "net/core/somaxconn"}) {
    std::string value = ReadProc(files_, std::string("/proc/sys/") + name);
    while (!value.empty() && value.back() == '\n') value.pop_back();
    std::string key = name;
    for (char& c : key) {
      if (c == '/') c = '.';
    }
    AddPair(key, value, item);
  }
}

}  // namespace tikv::server
