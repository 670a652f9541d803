#include "glint/choose/candidate.h"

#include <algorithm>

#include "glint/base/error.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr int kLargerInput = 512, kTile = 288;

/// What the method takes when nothing is asked for.
int own_size(const std::string& method, const std::string& backbone) {
  return TrainConfig(method, backbone, Recipe::kRefined).input.size;
}

}  // namespace

std::string Candidate::name() const {
  std::string out = fmt::format("{} {} px", method, input_size);
  if (tiles > 1) out += fmt::format(", {0} x {0} tiles", tiles);
  if (align == Align::kRigid) out += ", aligned";
  return out;
}

json Candidate::to_json() const {
  return {{"name", name()}, {"method", method},          {"input_size", input_size},
          {"tiles", tiles}, {"align", enum_name(align)}, {"backbone", backbone}};
}

Candidate Candidate::from_json(const json& entry) {
  try {
    Candidate out;
    out.method = entry.at("method").get<std::string>();
    out.input_size = entry.at("input_size").get<int>();
    out.tiles = entry.at("tiles").get<int>();
    out.align = parse_enum<Align>(entry.at("align").get<std::string>(), "align");
    out.backbone = entry.at("backbone").get<std::string>();
    return out;
  } catch (const json::exception& e) {
    fail(ErrorCode::kBadInput, "a candidate is damaged: {}", e.what());
  }
}

std::vector<Candidate> built_in_candidates(const std::string& backbone,
                                           const std::vector<std::string>& methods) {
  for (const std::string& method : methods) make_method(method);
  const auto of = [&](const std::string& method, int size, int tiles, Align align) {
    return Candidate{method, size, tiles, align, backbone};
  };
  std::vector<Candidate> all;
  const auto add_whole = [&](TrainingKind training) {
    for (const std::string& method : methods.empty() ? candidate_methods() : method_names()) {
      if (make_method(method)->needs().training == training)
        all.push_back(of(method, own_size(method, backbone), 1, Align::kNone));
    }
  };
  const std::string steady = default_method(), placed = position_bound_method();
  add_whole(TrainingKind::kOnePass);
  all.push_back(of(steady, kLargerInput, 1, Align::kNone));
  for (const std::string& method : {steady, placed})
    all.push_back(of(method, own_size(method, backbone), 1, Align::kRigid));
  all.push_back(of(steady, kTile, 2, Align::kNone));
  add_whole(TrainingKind::kMetaEpochs);
  if (methods.empty()) return all;
  std::erase_if(all, [&](const Candidate& c) {
    return std::find(methods.begin(), methods.end(), c.method) == methods.end();
  });
  return all;
}

void apply_candidate(const Candidate& candidate, TrainConfig& config) {
  GLINT_CHECK(config.method_name == candidate.method);
  config.input.size = candidate.input_size;
  config.input.tiles = candidate.tiles;
  config.input.align = candidate.align;
  config.calibration = CalibrationMode::kFolder;
}

std::vector<ScoringOptions> scoring_variants(const ScoringOptions& own) {
  std::vector<ScoringOptions> out = {own};
  for (const ImageScore kind : {ImageScore::kMapMax, ImageScore::kTopMean}) {
    if (kind == own.image_score) continue;
    out.push_back(own);
    out.back().image_score = kind;
    if (kind == ImageScore::kTopMean) out.back().top_share = kTopShare;
  }
  return out;
}

}  // namespace glint
