#include "glint/base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <mutex>

#include "glint/base/error.h"

namespace glint {
namespace {

using Clock = std::chrono::steady_clock;

class SilentProgress : public ProgressSink {
 public:
  void begin(const std::string&, std::int64_t) override {}
  void advance(std::int64_t, const std::string&) override {}
  void end() override {}
  void message(const std::string&) override {}
};

std::string duration_text(double seconds) {
  const auto s = static_cast<long>(seconds + 0.5);
  if (s < 60) return fmt::format("{}s", s);
  if (s < 3600) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
}

class TerminalProgress : public ProgressSink {
 public:
  void begin(const std::string& label, std::int64_t total) override {
    const std::lock_guard lock(mutex_);
    label_ = label;
    total_ = std::max<std::int64_t>(total, 1);
    done_ = 0;
    start_ = last_ = Clock::now();
  }
  void advance(std::int64_t done, const std::string& note) override {
    const std::lock_guard lock(mutex_);
    done_ = done;
    note_ = note;
    const auto now = Clock::now();
    if (now - last_ < (tty_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(10000))) return;
    last_ = now;
    print_line(false);
  }
  void end() override {
    const std::lock_guard lock(mutex_);
    done_ = total_;
    print_line(true);
  }
  void message(const std::string& line) override {
    const std::lock_guard lock(mutex_);
    std::fprintf(stderr, "%s%s\n", tty_ ? "\r\033[K" : "", line.c_str());
  }

 private:
  void print_line(bool final) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
    const double rate = elapsed > 0 ? static_cast<double>(done_) / elapsed : 0;
    std::string line = fmt::format("{:<24} {:>6}/{:<6} {:>8.1f}/s", label_, done_, total_, rate);
    if (final) {
      line += fmt::format("  took {}", duration_text(elapsed));
    } else if (rate > 0) {
      line += fmt::format("  {} left", duration_text(static_cast<double>(total_ - done_) / rate));
    }
    if (!note_.empty()) line += "  " + note_;
    if (tty_) {
      constexpr int kWidth = 20;
      const int filled = static_cast<int>(kWidth * done_ / total_);
      std::string bar;
      for (int i = 0; i < kWidth; ++i) bar += i < filled ? "█" : "░";
      std::fprintf(stderr, "\r\033[K%s %s%s", bar.c_str(), line.c_str(), final ? "\n" : "");
      std::fflush(stderr);
    } else {
      std::fprintf(stderr, "%s\n", line.c_str());
    }
  }

  const bool tty_ = ::isatty(STDERR_FILENO) == 1;
  std::mutex mutex_;
  std::string label_, note_;
  std::int64_t total_ = 1, done_ = 0;
  Clock::time_point start_, last_;
};

std::atomic<bool> cancel_flag{false};

}  // namespace

ProgressSink& silent_progress() {
  static SilentProgress sink;
  return sink;
}

std::unique_ptr<ProgressSink> make_terminal_progress() {
  return std::make_unique<TerminalProgress>();
}

void request_cancel() noexcept {
  cancel_flag.store(true);
}
bool cancel_requested() noexcept {
  return cancel_flag.load();
}
void throw_if_cancelled() {
  if (cancel_requested())
    throw Error(ErrorCode::kCancelled, "stopped on request; nothing half-written was left");
}

}  // namespace glint
