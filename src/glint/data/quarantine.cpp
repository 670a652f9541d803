#include "glint/data/quarantine.h"

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

void move_file(const fs::path& from, const fs::path& to) {
  make_folder(to.parent_path());
  if (fs::exists(to))
    fail(ErrorCode::kBadInput, "{}: exists already; {} was not moved", to.string(), from.string());
  std::error_code error;
  fs::rename(from, to, error);
  if (!error) return;
  // Another file system: copy, then remove.
  fs::copy_file(from, to, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot move to {}: {}", from.string(), to.string(), error.message());
  fs::remove(from);
}

}  // namespace

QuarantineResult apply_quarantine(const Dataset& dataset, const fs::path& folder) {
  Dataset rest = dataset;
  exclude_samples(rest, folder / kProposalFile);
  std::set<std::string> kept;
  for (const auto* part : {&rest.train, &rest.calibration}) {
    for (const Sample& sample : *part) kept.insert(sample.id);
  }
  nlohmann::json moves = nlohmann::json::array();
  std::vector<std::pair<fs::path, fs::path>> pairs;
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      if (kept.contains(sample.id)) continue;
      pairs.emplace_back(fs::absolute(sample.path), fs::absolute(folder / sample.id));
      moves.push_back({{"from", pairs.back().first.string()}, {"to", pairs.back().second.string()}});
    }
  }
  QuarantineResult out{0, folder / "undo.json"};
  if (fs::exists(out.undo_file)) {
    fail(ErrorCode::kBadInput, "{}: an earlier quarantine was not undone; undo it, or name another folder",
         out.undo_file.string());
  }
  write_text(out.undo_file, moves.dump(1) + "\n");
  for (const auto& [from, to] : pairs) {
    move_file(from, to);
    ++out.moved;
  }
  return out;
}

int undo_quarantine(const fs::path& undo_file) {
  int moved = 0;
  try {
    for (const nlohmann::json& move : nlohmann::json::parse(read_text(undo_file))) {
      const fs::path from = move.at("from").get<std::string>(), to = move.at("to").get<std::string>();
      if (!fs::exists(to)) continue;
      move_file(to, from);
      ++moved;
    }
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorCode::kBadInput, "{}: not an undo file of glint ({})", undo_file.string(), e.what());
  }
  fs::remove(undo_file);
  return moved;
}

}  // namespace glint
