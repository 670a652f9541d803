// Errors of glint. Error is for what the outside did wrong (bad input, missing file, wrong option) and its
// sentence says what to do next; GLINT_CHECK is for our own bugs. Libraries never print and never exit.
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace glint {

enum class ErrorCode { kBadInput, kNotFound, kIo, kConfig, kCancelled };

class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// Throws Error with a formatted message (fmt syntax).
template <class... Args>
[[noreturn]] void fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

[[noreturn]] void check_failed(const char* condition, const char* file, int line);

}  // namespace glint

/// Our own invariant. A failure is a bug in glint, never the user's fault.
#define GLINT_CHECK(condition) \
  (static_cast<bool>(condition) ? void(0) : ::glint::check_failed(#condition, __FILE__, __LINE__))
