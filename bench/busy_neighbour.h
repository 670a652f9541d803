// Another process that computes without pause, to measure tails beside it.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>

/// From construction to destruction.
class BusyNeighbour {
 public:
  BusyNeighbour() : process_(::fork()) {
    if (process_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (std::atomic<unsigned> i{0};;) ++i;
  }
  ~BusyNeighbour() {
    if (process_ < 0) return;
    ::kill(process_, SIGKILL);
    ::waitpid(process_, nullptr, 0);
  }
  BusyNeighbour(const BusyNeighbour&) = delete;
  BusyNeighbour& operator=(const BusyNeighbour&) = delete;
  bool started() const { return process_ > 0; }

 private:
  pid_t process_;
};
