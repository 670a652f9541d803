#include "glint/data/quarantine.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/data/image_tree.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

struct Move {
  fs::path from, to;
};

void check_free(const std::vector<Move>& moves) {
  for (const Move& move : moves) {
    if (is_there(move.to)) {
      fail(ErrorCode::kBadInput, "{}: is there already; {} was not moved, nor any other image",
           name_line(move.to), name_line(move.from));
    }
  }
}

void move_entry(const Move& move) {
  make_folder(move.to.parent_path());
  std::error_code error;
  fs::rename(move.from, move.to, error);
  if (!error) return;
  // Another file system: copy, then remove.
  error.clear();
  if (fs::is_symlink(fs::symlink_status(move.from, error))) {
    fs::copy_symlink(move.from, move.to, error);
  } else {
    fs::copy_file(move.from, move.to, error);
  }
  if (!error) fs::remove(move.from, error);
  if (error) {
    fail(ErrorCode::kIo, "{}: cannot be moved to {}: {}", name_line(move.from), name_line(move.to),
         error.message());
  }
}

/// Folders inside a class's folder belong to the class, so images moved there would be read again.
void refuse_folder_of_images(const Dataset& dataset, const fs::path& folder) {
  const fs::path inside = path_in(dataset.root, folder);
  if (dataset.layout == DatasetLayout::kFlat && inside != ".") return;
  for (const auto* part : {&dataset.train, &dataset.calibration, &dataset.test}) {
    for (const Sample& sample : *part) {
      if (inside != "." && *path_in(dataset.root, sample.path).begin() != *inside.begin()) continue;
      fail(ErrorCode::kBadInput, "{}: lies among the dataset's images; name a folder outside {}",
           name_line(folder), name_line(inside == "." ? dataset.root : dataset.root / *inside.begin()));
    }
  }
}

}  // namespace

QuarantineResult apply_quarantine(const Dataset& dataset, const fs::path& folder) {
  refuse_folder_of_images(dataset, folder);
  Dataset rest = dataset;
  exclude_samples(rest, folder / kProposalFile);
  std::set<std::string> kept;
  for (const auto* part : {&rest.train, &rest.calibration}) {
    for (const Sample& sample : *part) kept.insert(sample.id);
  }
  nlohmann::json listed = nlohmann::json::array();
  std::vector<Move> moves;
  for (const auto* part : {&dataset.train, &dataset.calibration}) {
    for (const Sample& sample : *part) {
      if (kept.contains(sample.id)) continue;
      moves.push_back({fs::absolute(sample.path), fs::absolute(folder / name_bytes(sample.id))});
      listed.push_back({{"from", name_text(moves.back().from)}, {"to", name_text(moves.back().to)}});
    }
  }
  QuarantineResult out{0, folder / "undo.json"};
  if (is_there(out.undo_file)) {
    fail(ErrorCode::kBadInput, "{}: an earlier quarantine was not undone; undo it, or name another folder",
         name_line(out.undo_file));
  }
  if (moves.empty()) return out;
  check_free(moves);
  write_text(out.undo_file, listed.dump(1) + "\n");
  for (const Move& move : moves) {
    move_entry(move);
    ++out.moved;
  }
  return out;
}

int undo_quarantine(const fs::path& undo_file) {
  std::vector<Move> moves;
  try {
    const nlohmann::json listed = nlohmann::json::parse(read_text(undo_file));
    if (!listed.is_array() || listed.empty())
      fail(ErrorCode::kBadInput, "{}: not an undo file of glint (it lists no image)", name_line(undo_file));
    for (const nlohmann::json& move : listed) {
      const fs::path from = name_bytes(move.at("from").get<std::string>()),
                     to = name_bytes(move.at("to").get<std::string>());
      if (is_there(to)) moves.push_back({to, from});
    }
  } catch (const nlohmann::json::exception& e) {
    fail(ErrorCode::kBadInput, "{}: not an undo file of glint ({})", name_line(undo_file), e.what());
  }
  check_free(moves);
  for (const Move& move : moves) move_entry(move);
  fs::remove(undo_file);
  return static_cast<int>(moves.size());
}

}  // namespace glint
