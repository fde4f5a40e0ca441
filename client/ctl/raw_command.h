// `tikv-ctl raw get|put|delete|scan|cas`.
#pragma once

#include <absl/status/statusor.h>

#include <string>
#include <string_view>

#include "client/raw_client.h"

namespace tikv::client {

// One raw command as typed.
struct RawCommand {
  std::string verb;  // get, put, delete, scan, cas
  std::string key;
  std::string value;           // put and cas
  std::string end;             // scan
  std::string expected;        // cas
  bool expect_absent = false;  // cas
  bool hex = false;            // Keys and values are typed and printed in hex.
  bool json = false;
  bool reverse = false;
  uint32_t limit = 100;
  RawOptions options;
};

// What to print; `done` is false when a key is absent (get) or was not swapped (cas).
struct RawOutput {
  std::string text;
  bool done = true;
};
absl::StatusOr<RawOutput> RunRaw(RawClient* client, const RawCommand& command);

// Bytes for a terminal: printable text as it is, everything else as \xNN.
std::string Printable(std::string_view bytes);

}  // namespace tikv::client
