// Progress of long work: a bar with rate and time left on a terminal, a plain line now and then elsewhere.
// The libraries only see the Progress interface; the command line chooses the sink, and tests use none. Also
// the cancel flag.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

namespace glint {

/// Where progress goes. Thread-safe implementations only.
class ProgressSink {
 public:
  virtual ~ProgressSink() = default;
  virtual void begin(const std::string& label, std::int64_t total) = 0;
  virtual void advance(std::int64_t done, const std::string& note) = 0;
  virtual void end() = 0;
  virtual void message(const std::string& line) = 0;
};

/// A sink that drops everything.
ProgressSink& silent_progress();

/// Bars on stderr when it is a terminal, otherwise one plain line every ten seconds at most.
std::unique_ptr<ProgressSink> make_terminal_progress();

/// Asks running work to stop at the next safe point; set from a signal handler.
void request_cancel() noexcept;
bool cancel_requested() noexcept;
/// Throws Error(kCancelled) when a stop was asked for.
void throw_if_cancelled();

}  // namespace glint
