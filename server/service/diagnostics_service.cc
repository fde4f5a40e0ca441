#include "server/service/diagnostics_service.h"

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "lib/base/status.h"

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

// "key : value" lines as pairs.
void AddColonLines(std::string_view text, ServerInfoItem* item) {
  ForEachLine(text, [&](std::string_view line) {
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos) return;
    AddPair(Trim(line.substr(0, colon)), Trim(line.substr(colon + 1)), item);
  });
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

}  // namespace

void DiagnosticsService::Register(rpc::Server* server) {
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
  const std::string cpu = ReadProc(files_, "/proc/cpuinfo");
  int cores = 0;
  std::string model;
  ForEachLine(cpu, [&](std::string_view line) {
    if (line.rfind("processor", 0) == 0) ++cores;
    if (line.rfind("model name", 0) == 0 && model.empty()) {
      model = Trim(line.substr(line.find(':') + 1));
    }
  });
  ServerInfoItem* item = AddItem("cpu", "cpu", out);
  AddPair("cpu-logical-cores", std::to_string(cores), item);
  AddPair("cpu-model", model, item);
  ServerInfoItem* memory = AddItem("memory", "memory", out);
  ForEachLine(ReadProc(files_, "/proc/meminfo"), [&](std::string_view line) {
    if (line.rfind("MemTotal:", 0) == 0) AddPair("capacity", Trim(line.substr(9)), memory);
  });
}

void DiagnosticsService::AddLoad(Response* out) const {
  AddColonLines(ReadProc(files_, "/proc/meminfo"), AddItem("memory", "virtual", out));
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
