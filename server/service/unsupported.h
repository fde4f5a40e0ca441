// How requests of APIs that this store does not serve are refused inside an OK reply.
#pragma once

#include <string>
#include <string_view>
#include <utility>

#include "proto/kvrpcpb.pb.h"

namespace tikv::server {

// Puts the text where the reply has a place for it: KeyError.abort, a list of key errors, a text.
template <class Response>
void SetAbort(std::string text, Response* response) {
  if constexpr (requires { response->mutable_error()->set_abort(text); }) {
    response->mutable_error()->set_abort(std::move(text));
  } else if constexpr (requires { response->add_errors()->set_abort(text); }) {
    response->add_errors()->set_abort(std::move(text));
  } else if constexpr (requires { response->set_error(text); }) {
    response->set_error(std::move(text));
  } else if constexpr (requires { response->set_other_error(text); }) {
    response->set_other_error(std::move(text));
  }
}

inline std::string NotSupportedText(std::string_view command) {
  return std::string(command) + " is not supported by this store";
}

}  // namespace tikv::server
