// tikv-ctl: one command line for people.
#include <CLI/CLI.hpp>
#include <cstdio>

#include "client/ctl/bench_command.h"
#include "client/ctl/cluster_status.h"
#include "client/ctl/playground.h"
#include "client/ctl/raw_command.h"
#include "lib/base/status.h"

namespace tikv::client {
namespace {

constexpr std::chrono::milliseconds kConnectLimit{3'000};  // A person waits.
constexpr int kUsageExit = 2;

// What every command shares.
struct Common {
  std::string pd = "127.0.0.1:2379";
  std::string output = "text";
  std::string api_version = "v1";
  double timeout_seconds = 10;
  std::string ca, cert, key;

  bool json() const { return output == "json"; }

  std::vector<std::string> Endpoints() const {
    std::vector<std::string> all;
    for (size_t at = 0; at <= pd.size();) {
      const size_t comma = std::min(pd.find(',', at), pd.size());
      if (comma > at) all.push_back(pd.substr(at, comma - at));
      at = comma + 1;
    }
    return all;
  }

  // The endpoints as URLs, which they may be already.
  std::vector<std::string> Urls() const {
    std::vector<std::string> urls = Endpoints();
    for (std::string& url : urls) {
      if (url.find("://") == std::string::npos) url = (ca.empty() ? "http://" : "https://") + url;
    }
    return urls;
  }

  absl::StatusOr<std::unique_ptr<RawClient>> Connect() const {
    ClientOptions options;
    options.pd_endpoints = Endpoints();
    options.connect_timeout = std::min(options.connect_timeout, kConnectLimit);
    options.api_version = api_version == "v2"      ? ApiVersion::kV2
                          : api_version == "v1ttl" ? ApiVersion::kV1Ttl
                                                   : ApiVersion::kV1;
    options.timeout = std::chrono::milliseconds(static_cast<int64_t>(timeout_seconds * 1000));
    options.ca_path = ca;
    options.cert_path = cert;
    options.key_path = key;
    auto client = RawClient::Connect(std::move(options));
    if (client.ok() || absl::IsInvalidArgument(client.status())) return client;
    return Unavailable("no PD at {} serves; is the cluster running, and is --pd right?  ({})", pd,
                       Message(client.status()));
  }

  http::ClientOptions Http() const { return {.ca_path = ca, .cert_path = cert, .key_path = key}; }
};

constexpr const char* kCommonFooter =
    "--pd, -o json, --timeout and the other options of tikv-ctl may stand here too; see\n"
    "tikv-ctl --help.";

absl::Status Print(const absl::StatusOr<std::string>& text) {
  if (text.ok()) fmt::print("{}", *text);
  return text.status();
}

// Without a message: what there is to say has been printed.
absl::Status PrintRaw(const absl::StatusOr<RawOutput>& output, bool json) {
  if (!output.ok()) return output.status();
  fmt::print(output->done || json ? stdout : stderr, "{}", output->text);
  return output->done ? absl::OkStatus() : absl::AbortedError("");
}

void AddPlayground(CLI::App& app, Common*, absl::Status* result) {
  auto options = std::make_shared<PlaygroundOptions>();
  CLI::App* cmd = app.add_subcommand("playground", "Run a whole cluster on this machine");
  cmd->add_option("--pd", options->pds, "Number of PD members")
      ->check(CLI::Range(1, 7))
      ->capture_default_str();
  cmd->add_option("--stores", options->stores, "Number of stores")
      ->check(CLI::Range(1, 64))
      ->capture_default_str();
  cmd->add_option("--data-dir", options->data_dir, "Folder for data and logs")
      ->capture_default_str();
  cmd->add_option("--pd-port", options->pd_port,
                  "Client port of the first PD member; its peer port is the next one, and the next "
                  "member's ports follow")
      ->check(CLI::Range(1, 65000))
      ->capture_default_str();
  cmd->add_option("--store-port", options->store_port, "Port of the first store")
      ->check(CLI::Range(1, 65000))
      ->capture_default_str();
  cmd->add_option("--status-port", options->status_port, "Status port of the first store")
      ->check(CLI::Range(1, 65000))
      ->capture_default_str();
  cmd->add_option("--store-config", options->store_config, "TOML file for every store")
      ->check(CLI::ExistingFile);
  cmd->add_option("--pd-config", options->pd_config, "TOML file for every PD member")
      ->check(CLI::ExistingFile);
  cmd->add_flag_callback(
      "--no-restart", [=] { options->restart = false; },
      "Leave a server down that ended or was killed");
  cmd->footer(
      "Examples:\n"
      "  tikv-ctl playground\n"
      "  tikv-ctl playground --pd 3 --stores 5 --data-dir /tmp/cluster --pd-port 3379\n"
      "Ctrl-C stops it; the data stays, and the same command continues with it.");
  cmd->callback([=] { *result = RunPlayground(*options); });
}

void AddRaw(CLI::App& app, Common* common, absl::Status* result) {
  auto c = std::make_shared<RawCommand>();
  auto ttl = std::make_shared<int64_t>(0);
  CLI::App* raw = app.add_subcommand("raw", "Read and write raw keys")->require_subcommand(1);
  raw->add_option("--cf", c->options.column_family, "Column family: default, lock or write");
  raw->add_flag("--hex", c->hex, "Keys and values are given and printed in hex");

  const auto verb = [=](const char* name, const char* help) {
    CLI::App* cmd = raw->add_subcommand(name, help);
    cmd->callback([=] {
      c->verb = name;
      c->json = common->json();
      c->options.ttl = std::chrono::seconds(*ttl);
      auto client = common->Connect();
      *result = client.ok() ? PrintRaw(RunRaw(client->get(), *c), c->json) : client.status();
    });
    cmd->footer(kCommonFooter);
    return cmd;
  };
  raw->footer(
      "Examples:\n"
      "  tikv-ctl raw put hello world\n"
      "  tikv-ctl raw put --ttl 60 hello world --api-version v1ttl\n"
      "  tikv-ctl raw get hello -o json\n"
      "  tikv-ctl raw scan a b --limit 10\n"
      "  tikv-ctl raw cas hello moon --expect world");
  CLI::App* get = verb("get", "Print the value of a key");
  get->add_option("key", c->key)->required();
  CLI::App* put = verb("put", "Set a key to a value");
  put->add_option("key", c->key)->required();
  put->add_option("value", c->value)->required();
  put->add_option("--ttl", *ttl, "Seconds to live; 0: for ever")
      ->check(CLI::Range(int64_t{0}, int64_t{1} << 40));
  CLI::App* del = verb("delete", "Delete a key");
  del->add_option("key", c->key)->required();
  CLI::App* scan = verb("scan", "Print the keys and values of a range, in order");
  scan->add_option("start", c->key, "First key; empty for the first of all");
  scan->add_option("end", c->end, "Where to stop, not included; empty for the end");
  scan->add_option("--limit", c->limit, "At most so many")->capture_default_str();
  scan->add_flag("--reverse", c->reverse, "From the end of the range to its start");
  scan->add_flag("--keys-only", c->options.key_only, "Without the values");
  CLI::App* cas = verb("cas", "Set a key to a value if it holds another one now");
  cas->add_option("key", c->key)->required();
  cas->add_option("value", c->value)->required();
  auto* expected = cas->add_option("--expect", c->expected, "The value it must hold");
  auto* absent = cas->add_flag("--absent", c->expect_absent, "It must not exist");
  expected->excludes(absent);
  cas->require_option(1, 0);
}

void AddCluster(CLI::App& app, Common* common, absl::Status* result) {
  CLI::App* cmd = app.add_subcommand("cluster", "Show stores and PD members");
  cmd->footer(kCommonFooter);
  cmd->callback([=] {
    http::Client client(common->Http());
    const auto status = FetchClusterStatus(&client, common->Urls());
    if (status.ok()) fmt::print("{}", common->json() ? FormatJson(*status) : FormatTable(*status));
    *result = status.status();
  });
}

void AddBench(CLI::App& app, Common* common, absl::Status* result) {
  auto o = std::make_shared<BenchOptions>();
  CLI::App* cmd = app.add_subcommand("bench", "Put load on the cluster and measure it");
  cmd->add_option("operation", o->operation, "put, get or mixed")->capture_default_str();
  cmd->add_option("--clients", o->clients, "Requests under way at a time")
      ->check(CLI::Range(1, 100'000))
      ->capture_default_str();
  cmd->add_option("--keys", o->keys, "Number of keys")
      ->check(CLI::Range(uint64_t{1}, uint64_t{1} << 40))
      ->capture_default_str();
  cmd->add_option("--value-size", o->value_bytes, "Bytes of a value")
      ->check(CLI::Range(0, 4 << 20))
      ->capture_default_str();
  cmd->add_option("--seconds", o->seconds, "How long")
      ->check(CLI::Range(0.1, 1e6))
      ->capture_default_str();
  cmd->footer(kCommonFooter);
  cmd->callback([=] {
    o->json = common->json();
    auto client = common->Connect();
    *result = client.ok() ? Print(RunBench(client->get(), *o)) : client.status();
  });
}

int Main(int argc, char** argv) {
  Common common;
  absl::Status result;
  CLI::App app("tikv-ctl: run, read, write, watch and load a TiKV cluster", "tikv-ctl");
  app.set_version_flag("-V,--version", "tikv-ctl " TIKV_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Examples:\n"
      "  tikv-ctl playground                   a cluster on this machine\n"
      "  tikv-ctl raw put hello world\n"
      "  tikv-ctl --pd 10.0.0.1:2379 cluster   stores and PD members\n"
      "  tikv-ctl bench mixed --seconds 30\n"
      "Exit codes: 0 done; 1 failed, absent or not swapped; 2 wrong usage.");
  app.fallthrough();  // --pd may stand after the command too.
  app.add_option("-u,--pd", common.pd, "PD endpoints, comma separated")->capture_default_str();
  app.add_option("-o,--output", common.output, "text or json")
      ->check(CLI::IsMember({"text", "json"}))
      ->capture_default_str();
  app.add_option("--api-version", common.api_version, "The stores' mode: v1, v1ttl or v2")
      ->check(CLI::IsMember({"v1", "v1ttl", "v2"}))
      ->capture_default_str();
  app.add_option("--timeout", common.timeout_seconds, "Seconds for a call")->capture_default_str();
  app.add_option("--cacert", common.ca, "CA certificate (PEM); turns TLS on");
  app.add_option("--cert", common.cert, "Client certificate (PEM)");
  app.add_option("--key", common.key, "Key of the client certificate (PEM)");
  AddPlayground(app, &common, &result);
  AddRaw(app, &common, &result);
  AddCluster(app, &common, &result);
  AddBench(app, &common, &result);
  try {
    app.parse(argc, argv);
  } catch (const CLI::RequiredError& error) {
    const std::vector<std::string> words = app.remaining();
    if (app.get_subcommands().empty() && !words.empty()) {
      fmt::print(stderr, "tikv-ctl: there is no command \"{}\"; see tikv-ctl --help\n", words[0]);
      return kUsageExit;
    }
    return app.exit(error) == 0 ? 0 : kUsageExit;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageExit;
  }
  if (result.ok()) return 0;
  if (!Message(result).empty()) fmt::print(stderr, "tikv-ctl: {}\n", Message(result));
  return 1;
}

}  // namespace
}  // namespace tikv::client

int main(int argc, char** argv) { return tikv::client::Main(argc, argv); }
