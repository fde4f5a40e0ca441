#include "client/ctl/raw_command.h"

#include <nlohmann/json.hpp>

#include "lib/base/bytes.h"
#include "lib/base/status.h"

namespace tikv::client {
namespace {

using nlohmann::json;

absl::StatusOr<std::string> Typed(const RawCommand& c, const std::string& text) {
  if (!c.hex) return text;
  std::optional<std::string> bytes = Unhex(text);
  if (!bytes) return InvalidArgument("\"{}\" is not hex", text);
  return *std::move(bytes);
}

std::string Shown(const RawCommand& c, std::string_view bytes) {
  return c.hex ? Hex(bytes) : Printable(bytes);
}

// JSON strings are text: bytes that are none go out as \xNN too.
std::string Line(const RawCommand& c, const json& object, const std::string& text) {
  return c.json ? object.dump() + "\n" : text + "\n";
}

absl::StatusOr<RawOutput> Get(RawClient* client, const RawCommand& c, const std::string& key) {
  ASSIGN_OR_RETURN(const std::optional<std::string> value, client->Get(key, c.options));
  const json shown = value ? json(Shown(c, *value)) : json(nullptr);
  const std::string text =
      value ? Shown(c, *value) : fmt::format("key \"{}\" does not exist", Shown(c, key));
  return RawOutput{Line(c, {{"key", Shown(c, key)}, {"value", shown}}, text), value.has_value()};
}

absl::StatusOr<RawOutput> Scan(RawClient* client, const RawCommand& c, const std::string& start) {
  ASSIGN_OR_RETURN(const std::string end, Typed(c, c.end));
  ASSIGN_OR_RETURN(const auto pairs, c.reverse ? client->ReverseScan(start, end, c.limit, c.options)
                                               : client->Scan(start, end, c.limit, c.options));
  std::string out;
  for (const auto& [key, value] : pairs) {
    out += Line(c, {{"key", Shown(c, key)}, {"value", Shown(c, value)}},
                c.options.key_only ? Shown(c, key) : Shown(c, key) + "\t" + Shown(c, value));
  }
  return RawOutput{out};
}

absl::StatusOr<RawOutput> Cas(RawClient* client, const RawCommand& c, const std::string& key) {
  ASSIGN_OR_RETURN(const std::string value, Typed(c, c.value));
  std::optional<std::string> expected;
  if (!c.expect_absent) {
    ASSIGN_OR_RETURN(expected, Typed(c, c.expected));
  }
  ASSIGN_OR_RETURN(const SwapResult result,
                   client->CompareAndSwap(key, expected, value, c.options));
  const json previous = result.previous ? json(Shown(c, *result.previous)) : json(nullptr);
  const std::string found =
      result.previous ? "holds \"" + Shown(c, *result.previous) + "\"" : "is absent";
  return RawOutput{Line(c, {{"swapped", result.swapped}, {"previous", previous}},
                        result.swapped ? "swapped" : "not swapped: the key " + found),
                   result.swapped};
}

}  // namespace

std::string Printable(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) {
    if (c >= 0x20 && c < 0x7F && c != '\\') {
      out += c;
    } else {
      out += fmt::format("\\x{:02x}", static_cast<uint8_t>(c));
    }
  }
  return out;
}

absl::StatusOr<RawOutput> RunRaw(RawClient* client, const RawCommand& c) {
  ASSIGN_OR_RETURN(const std::string key, Typed(c, c.key));
  if (c.verb == "get") return Get(client, c, key);
  if (c.verb == "scan") return Scan(client, c, key);
  if (c.verb == "cas") return Cas(client, c, key);
  if (c.verb == "put") {
    ASSIGN_OR_RETURN(const std::string value, Typed(c, c.value));
    RETURN_IF_ERROR(client->Put(key, value, c.options));
  } else {
    RETURN_IF_ERROR(client->Delete(key, c.options));
  }
  return RawOutput{Line(c, {{"ok", true}}, "ok")};
}

}  // namespace tikv::client
