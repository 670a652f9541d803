#include "glint/data/split_lock.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/random.h"
#include "glint/data/dataset_writer.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr int kLockVersion = 1;

struct Entry {
  std::string id, sha256, role, label, mask_sha256;
  std::string earlier_id;  ///< as versions before 0.2 wrote it: links resolved, bytes as they are
};

std::string mask_hash(const Sample& sample) {
  if (!sample.mask) return "";
  std::string out = sha256_hex(read_file(*sample.mask));
  for (const fs::path& path : sample.further_masks) out += sha256_hex(read_file(path));
  return sample.further_masks.empty() ? out : sha256_hex(out);
}

std::string earlier_id(const Sample& sample, const fs::path& root) {
  std::error_code ec;
  const fs::path path = fs::relative(sample.path, root, ec);
  return ec ? sample.id : path.generic_string();
}

std::vector<Entry> entries_of(const Dataset& dataset) {
  std::vector<Entry> out;
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& s : *part) {
      out.push_back({s.id, s.sha256, std::string(enum_name(s.role)), s.label, mask_hash(s),
                     earlier_id(s, dataset.root)});
    }
  }
  return out;
}

std::vector<Entry> read_lock(const fs::path& path) {
  try {
    const nlohmann::json lock = nlohmann::json::parse(read_text(path));
    if (lock.at("version").get<int>() > kLockVersion) {
      fail(ErrorCode::kBadInput, "{}: written by a newer glint; update the program", name_line(path));
    }
    std::vector<Entry> out;
    for (const nlohmann::json& image : lock.at("images")) {
      out.push_back({image.at("id"), image.at("sha256"), image.value("role", ""), image.value("label", ""),
                     image.value("mask_sha256", ""), ""});
    }
    return out;
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorCode::kBadInput, "{}: not a split lock ({}); restore it, or remove it and lock the split again",
         name_line(path), e.what());
  }
}

/// For each locked image the one that has its id now, or nullptr. An exact id comes before an earlier one.
std::vector<const Entry*> same_ids(const std::vector<Entry>& locked, const std::vector<Entry>& now) {
  std::multimap<std::string, const Entry*> ids, earlier_ids;  // two links to one file had one id
  for (const Entry& e : now) {
    ids.emplace(e.id, &e);
    earlier_ids.emplace(e.earlier_id, &e);
  }
  std::vector<const Entry*> out(locked.size(), nullptr);
  std::set<const Entry*> taken;
  for (const auto* known : {&ids, &earlier_ids}) {
    for (std::size_t i = 0; i < locked.size(); ++i) {
      const auto [first, last] = known->equal_range(locked[i].id);
      for (auto it = first; it != last && out[i] == nullptr; ++it) {
        if (taken.insert(it->second).second) out[i] = it->second;
      }
    }
  }
  return out;
}

std::string role_word(const std::string& role) {
  return role == enum_name(Role::kTrain) ? "training" : role;
}

/// Differences of an image that is where it was.
void compare(const Entry& before, const Entry& after, LockDifferences& out) {
  const std::string& id = after.id;
  if (!before.role.empty() && after.role != before.role) {
    out.moved.push_back(fmt::format("{} is a {} image now; locked as a {} image", id, role_word(after.role),
                                    role_word(before.role)));
  }
  if (!before.label.empty() && after.label != before.label) {
    out.changed.push_back(
        fmt::format("{} is of the class '{}' now; locked as '{}'", id, after.label, before.label));
  }
  if (after.sha256 != before.sha256) {
    out.changed.push_back(id + " has other content");
  } else if (after.mask_sha256 != before.mask_sha256) {
    out.changed.push_back(id + (before.mask_sha256.empty()  ? " has a mask now"
                                : after.mask_sha256.empty() ? " has lost its mask"
                                                            : " has another mask"));
  }
}

/// Days since 1970-01-01, or nullopt when this is no date.
std::optional<std::int64_t> days_of(int year, unsigned month, unsigned day) {
  const std::chrono::year_month_day date{std::chrono::year(year), std::chrono::month(month),
                                         std::chrono::day(day)};
  if (!date.ok()) return std::nullopt;
  return std::chrono::sys_days(date).time_since_epoch().count();
}

}  // namespace

fs::path lock_split(const Dataset& dataset, const std::string& date, bool replace) {
  fs::path path = dataset.root / kLockFile;
  if (fs::exists(path) && !replace) {
    fail(ErrorCode::kBadInput, "{}: the split is locked already; --replace writes a new lock",
         name_line(path));
  }
  nlohmann::json images = nlohmann::json::array();
  for (const Entry& e : entries_of(dataset)) {
    nlohmann::json image = {{"id", e.id}, {"sha256", e.sha256}, {"role", e.role}, {"label", e.label}};
    if (!e.mask_sha256.empty()) image["mask_sha256"] = e.mask_sha256;
    images.push_back(std::move(image));
  }
  const nlohmann::json lock = {
      {"version", kLockVersion}, {"date", date}, {"fingerprint", dataset.fingerprint()}, {"images", images}};
  write_text(path, lock.dump(1) + "\n");
  return path;
}

std::optional<LockDifferences> check_lock(const Dataset& dataset) {
  const fs::path path = dataset.root / kLockFile;
  if (!fs::exists(path)) return std::nullopt;
  const std::vector<Entry> locked = read_lock(path), now = entries_of(dataset);
  const std::vector<const Entry*> partners = same_ids(locked, now);
  std::set<const Entry*> arrived(partners.begin(), partners.end());
  // What is at a new place, by content: the other end of a move.
  std::multimap<std::string, const Entry*> new_by_content;
  for (const Entry& e : now) {
    if (!arrived.contains(&e)) new_by_content.emplace(e.sha256, &e);
  }
  LockDifferences out;
  for (std::size_t i = 0; i < locked.size(); ++i) {
    const Entry& before = locked[i];
    if (partners[i] != nullptr) {
      compare(before, *partners[i], out);
      continue;
    }
    const auto [first, last] = new_by_content.equal_range(before.sha256);
    if (first == last) {
      out.removed.push_back(before.id + " was removed");
      continue;
    }
    const auto same_name = std::find_if(first, last, [&](const auto& e) {
      return fs::path(e.second->id).filename() == fs::path(before.id).filename();
    });
    const auto moved = same_name == last ? first : same_name;
    const Entry& after = *moved->second;
    std::string sentence = before.id + " moved to " + after.id;
    if (!before.role.empty() && after.role != before.role)
      sentence += " and is a " + role_word(after.role) + " image now";
    out.moved.push_back(std::move(sentence));
    arrived.insert(&after);
    new_by_content.erase(moved);
  }
  for (const Entry& e : now) {
    if (!arrived.contains(&e)) out.added.push_back(e.id + " was added");
  }
  return out;
}

std::string LockDifferences::text(std::size_t most) const {
  std::string out;
  std::size_t count = 0;
  for (const auto* part : {&moved, &changed, &removed, &added}) {
    for (const std::string& line : *part) {
      if (count++ < most) out += (out.empty() ? "" : "\n") + line;
    }
  }
  if (count > most) out += fmt::format("\nand {} more", count - most);
  return out;
}

std::optional<std::int64_t> capture_time(const std::string& file_name) {
  // A date and a time, not inside a longer run of digits.
  static const std::regex pattern(
      R"((?:^|[^0-9])((?:19|20)?[0-9]{2})([0-9]{2})([0-9]{2})[_\-T]?([0-9]{2})([0-9]{2})([0-9]{2})(?:[^0-9]|$))");
  for (std::sregex_iterator it(file_name.begin(), file_name.end(), pattern), end; it != end; ++it) {
    const std::smatch& m = *it;
    const int year = std::stoi(m[1]);
    const auto days = days_of(m[1].length() == 2 ? 2000 + year : year, static_cast<unsigned>(std::stoi(m[2])),
                              static_cast<unsigned>(std::stoi(m[3])));
    const int hour = std::stoi(m[4]), minute = std::stoi(m[5]), second = std::stoi(m[6]);
    if (days && hour < 24 && minute < 60 && second < 60) {
      return *days * 86400 + hour * 3600 + minute * 60 + second;
    }
  }
  return std::nullopt;
}

std::vector<Sample> good_images(const Dataset& dataset) {
  std::vector<Sample> out = dataset.train;
  for (const Sample& s : dataset.test) {
    if (!s.anomalous()) out.push_back(s);
  }
  return out;
}

Resplit split_by_time(const std::vector<Sample>& good, double test_share, std::int64_t gap_seconds) {
  std::vector<std::pair<std::int64_t, int>> order;
  for (int i = 0; i < std::ssize(good); ++i) {
    const auto time = capture_time(good[i].path.filename().string());
    if (!time) {
      fail(ErrorCode::kBadInput,
           "{}: no date and time in the file name (YYYYMMDDhhmmss or YYMMDDhhmmss); split by --group instead",
           good[i].id);
    }
    order.emplace_back(*time, i);
  }
  std::sort(order.begin(), order.end());
  const auto first_test =
      order.size() - static_cast<std::size_t>(std::lround(test_share * static_cast<double>(order.size())));
  if (first_test == 0 || first_test >= order.size()) {
    fail(ErrorCode::kConfig, "--test-share {}: one side of the split would be empty", test_share);
  }
  Resplit out;
  const std::int64_t border = order[first_test].first;
  for (const auto& [time, i] : order) {
    if (time >= border) {
      out.test.push_back(i);
    } else if (time < border - gap_seconds) {
      out.train.push_back(i);
    }
  }
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.test.begin(), out.test.end());
  out.rule = fmt::format(
      "by time: the latest {} good images test, {} earlier ones train, {} within {} s before "
      "the border are left out",
      out.test.size(), out.train.size(), good.size() - out.test.size() - out.train.size(), gap_seconds);
  return out;
}

Resplit split_by_group(const std::vector<Sample>& good, double test_share, const std::string& pattern,
                       std::uint64_t seed) {
  std::regex regex;
  try {
    regex.assign(pattern);
  } catch (const std::regex_error& e) {
    fail(ErrorCode::kConfig, "--group '{}': not a regular expression ({})", pattern, e.what());
  }
  std::map<std::string, std::vector<int>> groups;
  for (int i = 0; i < std::ssize(good); ++i) {
    std::smatch match;
    const std::string name = good[i].path.filename().string();
    if (!std::regex_search(name, match, regex)) {
      fail(ErrorCode::kBadInput, "{}: its name does not match --group '{}'", good[i].id, pattern);
    }
    groups[match[match.size() > 1 ? 1 : 0].str()].push_back(i);
  }
  if (groups.size() < 2) {
    fail(ErrorCode::kConfig, "--group '{}': all images are one group; a split needs two", pattern);
  }
  std::vector<const std::vector<int>*> by_index;
  for (const auto& [name, images] : groups) by_index.push_back(&images);
  const auto wanted = static_cast<std::size_t>(std::lround(test_share * static_cast<double>(good.size())));
  Resplit out;
  std::size_t test_groups = 0;
  for (const int g : permutation(static_cast<int>(groups.size()), Rng(seed, "split.group"))) {
    const bool test = out.test.size() < wanted && test_groups + 1 < groups.size();
    std::vector<int>& side = test ? out.test : out.train;
    side.insert(side.end(), by_index[g]->begin(), by_index[g]->end());
    test_groups += test ? 1 : 0;
  }
  if (out.test.empty()) fail(ErrorCode::kConfig, "--test-share {}: no image would test", test_share);
  std::sort(out.train.begin(), out.train.end());
  std::sort(out.test.begin(), out.test.end());
  out.rule = fmt::format("by group '{}': {} of {} groups with {} good images test", pattern, test_groups,
                         groups.size(), out.test.size());
  return out;
}

void write_resplit(const Dataset& dataset, const Resplit& split, const fs::path& out) {
  DatasetWriter writer(out);
  const std::vector<Sample> good = good_images(dataset);
  for (const int i : split.train) writer.add(good[i].path, Role::kTrain, kGoodClass);
  for (const int i : split.test) writer.add(good[i].path, Role::kTest, kGoodClass);
  for (const Sample& s : dataset.calibration) writer.add(s.path, Role::kCalibration, kGoodClass);
  for (const Sample& s : dataset.test) {
    if (s.anomalous()) writer.add(s.path, Role::kTest, s.label, load_mask(s));
  }
  writer.finish();
}

}  // namespace glint
