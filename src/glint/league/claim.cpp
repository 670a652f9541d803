#include "glint/league/claim.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <condition_variable>
#include <cstring>
#include <fstream>
#include <mutex>
#include <nlohmann/json.hpp>
#include <optional>
#include <thread>

#include "glint/base/clock.h"
#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr double kRenewSeconds = 10;  // at most; a quarter of a shorter lease
constexpr const char* kGivenBack = ".free";

fs::path claim_file(const fs::path& folder, const std::string& id, int generation) {
  return folder / fmt::format("{}.{}", id, generation);
}
fs::path given_back_file(const fs::path& folder, const std::string& id, int generation) {
  return folder / fmt::format("{}.{}{}", id, generation, kGivenBack);
}

std::string host_name() {
  char name[256] = "";
  ::gethostname(name, sizeof name - 1);
  return name;
}

std::string first_line(const fs::path& file) {
  std::ifstream in(file);
  std::string line;
  std::getline(in, line);
  return line;
}

/// When a process began, in the kernel's ticks; empty when it is not there. Field 22 of /proc/PID/stat,
/// behind the name in parentheses.
std::string process_start(long pid) {
  const std::string line = first_line(fmt::format("/proc/{}/stat", pid));
  std::size_t at = line.rfind(')');
  if (at == std::string::npos) return "";
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  if (at == std::string::npos) return "";
  return line.substr(at + 1, line.find(' ', at + 1) - at - 1);
}

/// Where a process number means something: this start of the machine, this name space.
std::string process_space() {
  std::error_code ec;
  return first_line("/proc/sys/kernel/random/boot_id") + " " +
         fs::read_symlink("/proc/self/ns/pid", ec).string();
}

/// The time of change of a file in seconds; nothing when it is gone.
std::optional<double> changed_at(const fs::path& file) {
  struct stat found {};
  if (::stat(file.c_str(), &found) != 0) return std::nullopt;
  return static_cast<double>(found.st_mtim.tv_sec) + 1e-9 * static_cast<double>(found.st_mtim.tv_nsec);
}

/// Now, by the clock that dates the folder's files.
double folder_now(const fs::path& folder) {
  static std::atomic<int> number = 0;
  const fs::path probe = folder / fmt::format(".now.{}.{}.{}", host_name(), ::getpid(), number++);
  std::ofstream(probe, std::ios::trunc) << '.';
  const auto now = changed_at(probe);
  std::error_code ignored;
  fs::remove(probe, ignored);
  if (!now)
    fail(ErrorCode::kIo, "{}: no file can be written there; check its permissions and space",
         name_line(folder));
  return *now;
}

/// The highest generation of a cell's claims; 0 = none.
int newest_claim(const fs::path& folder, const std::string& id) {
  int newest = 0;
  std::error_code ec;
  for (const auto& entry : fs::directory_iterator(folder, ec)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(id + ".")) continue;
    const char *begin = name.data() + id.size() + 1, *end = name.data() + name.size();
    int generation = 0;
    const auto read = std::from_chars(begin, end, generation);
    if (read.ec == std::errc() && read.ptr == end) newest = std::max(newest, generation);
  }
  return newest;
}

struct HolderNote {
  std::string host, start, space;
  long pid = 0;
  double lease_seconds = 0;

  std::string name() const { return fmt::format("{}, process {}", host, pid); }
};

/// What the claim says; nothing while it is being written.
std::optional<HolderNote> read_note(const fs::path& file) {
  std::ifstream in(file);
  const json j = json::parse(in, nullptr, false);
  if (!j.is_object()) return std::nullopt;
  try {
    return HolderNote{j.at("host").get<std::string>(), j.at("start").get<std::string>(),
                      j.at("space").get<std::string>(), j.at("pid").get<long>(),
                      j.at("lease_seconds").get<double>()};
  } catch (const json::exception&) {
    return std::nullopt;
  }
}

bool dead_here(const HolderNote& note) {
  return note.host == host_name() && note.space == process_space() && process_start(note.pid) != note.start;
}

}  // namespace

std::string worker_name() {
  return fmt::format("{}, process {}", host_name(), ::getpid());
}

/// Renews the claim from a thread of its own: a training does not come by often enough.
class CellClaim::Renewal {
 public:
  Renewal(fs::path file, double lease_seconds)
      : thread_([this, file = std::move(file), pause = std::min(kRenewSeconds, lease_seconds / 4)] {
          std::unique_lock lock(mutex_);
          while (!wake_.wait_for(lock, std::chrono::duration<double>(pause), [this] { return ended_; }))
            ::utimensat(AT_FDCWD, file.c_str(), nullptr, 0);
        }) {}
  ~Renewal() {
    {
      const std::lock_guard lock(mutex_);
      ended_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }

 private:
  std::mutex mutex_;
  std::condition_variable wake_;
  bool ended_ = false;
  std::thread thread_;
};

CellClaim::CellClaim(fs::path folder, std::string id, int generation, double lease_seconds)
    : folder_(std::move(folder)),
      id_(std::move(id)),
      generation_(generation),
      renewal_(std::make_unique<Renewal>(claim_file(folder_, id_, generation), lease_seconds)) {}

CellClaim::~CellClaim() {
  renewal_.reset();
  std::ofstream(given_back_file(folder_, id_, generation_)) << '.';
}

bool CellClaim::lost() const {
  return newest_claim(folder_, id_) != generation_;
}

int CellClaim::deaths(int since) const {
  int count = 0;
  for (int g = since + 1; g < generation_; ++g) {
    std::error_code ec;
    if (!fs::exists(given_back_file(folder_, id_, g), ec)) ++count;
  }
  return count;
}

CellClaim::Taken CellClaim::take(const fs::path& folder, const std::string& id, double lease_seconds) {
  make_folder(folder);
  Taken out;
  out.lease_seconds = lease_seconds;
  out.generation = newest_claim(folder, id);
  if (out.generation > 0) {
    const fs::path file = claim_file(folder, id, out.generation);
    const auto note = read_note(file);
    if (note) out.holder = note->name();
    if (note) out.lease_seconds = note->lease_seconds;
    std::error_code ec;
    const bool free =
        fs::exists(given_back_file(folder, id, out.generation), ec) || (note && dead_here(*note));
    if (!free) {
      const auto changed = changed_at(file);
      if (changed && folder_now(folder) - *changed <= out.lease_seconds) return out;
    }
  }
  const fs::path file = claim_file(folder, id, out.generation + 1);
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd < 0) {
    if (errno == EEXIST) return out;  // another was faster
    fail(ErrorCode::kIo, "{}: cannot be written ({}); check permissions and space", name_line(file),
         std::strerror(errno));
  }
  const std::string note = json{{"host", host_name()},
                                {"pid", ::getpid()},
                                {"start", process_start(::getpid())},
                                {"space", process_space()},
                                {"lease_seconds", lease_seconds},
                                {"since", iso_time(unix_micros())}}
                               .dump() +
                           "\n";
  const bool whole = ::write(fd, note.data(), note.size()) == static_cast<ssize_t>(note.size());
  const int error = errno;
  ::close(fd);
  ++out.generation;
  out.lease_seconds = lease_seconds;
  out.claim.reset(new CellClaim(folder, id, out.generation, lease_seconds));
  if (!whole)
    fail(ErrorCode::kIo, "{}: cannot be written ({}); check space", name_line(file), std::strerror(error));
  return out;
}

}  // namespace glint
