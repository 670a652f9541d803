// How threads wait for their next piece of work. OpenMP's threads spin for milliseconds when they have none;
// beside a busy process on the same processors they then keep each other from working, and an inspection
// takes ten times as long (bench_inspect measures it). With OMP_WAIT_POLICY=passive they sleep.
//
// libgomp reads the variable when it is loaded, before main and before any code of ours that a library's
// constructor could run. So the program starts itself once more with it: from .preinit_array, which the
// dynamic linker runs before all constructors, so that little is done twice. A wish of the user (either
// variable, any value) is left as it is, and so it cannot happen twice.

#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace {

constexpr const char* kPassive = "OMP_WAIT_POLICY=passive";
constexpr const char* kWishes[] = {"OMP_WAIT_POLICY=", "GOMP_SPINCOUNT="};
constexpr std::size_t kMostVariables = 4096;

/// Nothing of the C library is initialised yet: no allocation, no getenv.
void wait_passively(int, char** argv, char** environment) {
  static const char* extended[kMostVariables + 2];
  std::size_t count = 0;
  for (; environment[count] != nullptr; ++count) {
    if (count == kMostVariables) return;
    for (const char* wish : kWishes) {
      if (std::strncmp(environment[count], wish, std::strlen(wish)) == 0) return;
    }
    extended[count] = environment[count];
  }
  extended[count] = kPassive;
  // By its name, which the process list shows; a program that was replaced while it ran starts as it is.
  static char program[4096];
  const ssize_t length = ::readlink("/proc/self/exe", program, sizeof(program) - 1);
  if (length <= 0) return;
  ::execve(program, argv, const_cast<char**>(extended));
}

__attribute__((section(".preinit_array"), used)) void (*const kBeforeAll)(int, char**,
                                                                          char**) = wait_passively;

}  // namespace
