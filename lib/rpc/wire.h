// The texts of gRPC's HTTP/2 mapping: timeouts, status messages, binary metadata.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace tikv::rpc {

// "250m" -> nanoseconds.  At most eight digits and one of H M S m u n.
std::optional<int64_t> ParseTimeout(std::string_view text);

// grpc-message: printable ASCII stays, everything else and '%' becomes %XX.
std::string EncodeMessage(std::string_view text);

std::string Base64Encode(std::string_view bytes);  // Without padding.
// With or without padding; nullopt for anything else.
std::optional<std::string> Base64Decode(std::string_view text);

}  // namespace tikv::rpc
