// Names of code addresses, as pprof asks for them: "0x1+0x2" becomes lines of address and name.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace tikv::server {

// The name of a function of this process; empty if it has none.
std::string FunctionName(const void* address);

// Answers one request; what is no address ends it.  `name` is asked once per address.
std::string NameAddresses(std::string_view request,
                          const std::function<std::string(const void*)>& name);

}  // namespace tikv::server
