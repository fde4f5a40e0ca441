#include "lib/base/check.h"

#include <cstdio>
#include <cstdlib>

namespace tikv {
namespace {
FatalHook g_fatal_hook = nullptr;
}  // namespace

void SetFatalHook(FatalHook hook) { g_fatal_hook = hook; }

namespace internal {

FatalMessage::FatalMessage(const char* file, int line, const char* condition)
    : file_(file), line_(line) {
  stream_ << "CHECK failed: " << condition << " ";
}

FatalMessage::~FatalMessage() {
  const std::string message = stream_.str();
  if (g_fatal_hook != nullptr) {
    g_fatal_hook(file_, line_, message);
  }
  std::fprintf(stderr, "%s:%d: %s\n", file_, line_, message.c_str());
  std::fflush(stderr);
  std::abort();
}

}  // namespace internal
}  // namespace tikv
