// CHECK: a broken invariant stops the process, in release builds too.  Never for input from
// outside and never for a failing disk or peer: those are absl::Status.
#pragma once

#include <sstream>
#include <string>

namespace tikv {

// Called with the whole message just before abort(); the program's log sink.  Not thread-safe:
// set once at start.
using FatalHook = void (*)(const char* file, int line, const std::string& message);
void SetFatalHook(FatalHook hook);

namespace internal {

// Collects the streamed message and aborts in its destructor.
class FatalMessage {
 public:
  FatalMessage(const char* file, int line, const char* condition);
  [[noreturn]] ~FatalMessage();
  std::ostream& stream() { return stream_; }

 private:
  const char* file_;
  int line_;
  std::ostringstream stream_;
};

// Gives the streaming expression the type void, so that it fits the ternary in CHECK.
struct Voidify {
  void operator&(std::ostream&) {}
};

}  // namespace internal
}  // namespace tikv

#define CHECK(condition)                              \
  (__builtin_expect(static_cast<bool>(condition), 1)) \
      ? (void)0                                       \
      : ::tikv::internal::Voidify() &                 \
            ::tikv::internal::FatalMessage(__FILE__, __LINE__, #condition).stream()

#define TIKV_CHECK_OP(a, op, b) CHECK((a)op(b)) << "(" << (a) << " vs " << (b) << ") "
#define CHECK_EQ(a, b) TIKV_CHECK_OP(a, ==, b)
#define CHECK_NE(a, b) TIKV_CHECK_OP(a, !=, b)
#define CHECK_LE(a, b) TIKV_CHECK_OP(a, <=, b)
#define CHECK_LT(a, b) TIKV_CHECK_OP(a, <, b)
#define CHECK_GE(a, b) TIKV_CHECK_OP(a, >=, b)
#define CHECK_GT(a, b) TIKV_CHECK_OP(a, >, b)
#define CHECK_OK(expr)                                                      \
  do {                                                                      \
    auto&& check_ok_status = (expr);                                        \
    CHECK(check_ok_status.ok()) << ::tikv::internal::Text(check_ok_status); \
  } while (false)

namespace tikv::internal {
// The text of an absl::Status or absl::StatusOr without including either here.
template <class S>
std::string Text(const S& s) {
  if constexpr (requires { s.status(); }) {
    return s.status().ToString();
  } else {
    return s.ToString();
  }
}
}  // namespace tikv::internal
