#include "server/codec/timestamp.h"

#include "lib/base/bytes.h"
#include "lib/base/check.h"

namespace tikv::server {

void AppendTimestamp(std::string* out, uint64_t ts) { PutBig64(out, ~ts); }

uint64_t DecodeTimestamp(std::string_view key) {
  CHECK_GE(key.size(), 8u);
  return ~GetBig64(key.substr(key.size() - 8));
}

}  // namespace tikv::server
