#include "glint/league/plan.h"

#include <algorithm>
#include <cctype>
#include <set>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/names.h"
#include "glint/base/options.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;
constexpr std::size_t kIdDigits = 10;

std::string file_part(const std::string& text) {
  std::string out = text;
  for (char& c : out) {
    if (!std::isalnum(static_cast<unsigned char>(c)) && c != '-' && c != '_') c = '_';
  }
  return out;
}

std::string cell_id(const LeaguePlan& plan, const Cell& cell) {
  const LeagueSet& set = plan.sets[static_cast<std::size_t>(cell.set)];
  const std::string all = json{plan.version, set.fingerprint, cell.method, cell.seed, plan.settings}.dump();
  return fmt::format("{}.{}.s{}.{}", file_part(set.name), cell.method, cell.seed,
                     sha256_hex(std::string_view(all)).substr(0, kIdDigits));
}

}  // namespace

LeagueSet league_set(const Dataset& dataset, const std::vector<fs::path>& folders) {
  LeagueSet out;
  out.name = utf8_text(dataset.name());
  for (const fs::path& folder : folders) out.folders.push_back(fs::absolute(folder).lexically_normal());
  out.fingerprint = dataset.fingerprint();
  out.train_images = static_cast<int>(dataset.train.size());
  for (const Sample& sample : dataset.test) (sample.anomalous() ? out.test_anomalous : out.test_good) += 1;
  return out;
}

LeaguePlan make_plan(std::vector<LeagueSet> sets, std::vector<std::string> methods, int seeds,
                     json settings) {
  LeaguePlan plan{std::move(sets), {}, seeds, std::move(settings), GLINT_VERSION, {}};
  for (std::string& method : methods) {  // one given twice is one
    if (std::find(plan.methods.begin(), plan.methods.end(), method) == plan.methods.end())
      plan.methods.push_back(std::move(method));
  }
  std::set<std::string> names;
  for (const LeagueSet& set : plan.sets) {
    if (!names.insert(file_part(set.name)).second) {
      fail(ErrorCode::kConfig, "two data sets of the name {}: rename one folder, for the table names them so",
           set.name);
    }
  }
  for (int seed = 0; seed < seeds; ++seed) {
    for (int set = 0; set < static_cast<int>(plan.sets.size()); ++set) {
      for (const std::string& method : plan.methods) {
        Cell cell{"", set, method, seed, {}};
        cell.id = cell_id(plan, cell);
        plan.cells.push_back(std::move(cell));
      }
    }
  }
  return plan;
}

json LeaguePlan::to_json() const {
  json sets_json = json::array(), cells_json = json::array();
  for (const LeagueSet& set : sets) {
    json folders = json::array();
    for (const fs::path& folder : set.folders) folders.push_back(name_text(folder));
    sets_json.push_back({{"name", set.name},
                         {"folders", folders},
                         {"fingerprint", set.fingerprint},
                         {"train_images", set.train_images},
                         {"test_good", set.test_good},
                         {"test_anomalous", set.test_anomalous}});
  }
  for (const Cell& cell : cells) {
    cells_json.push_back({{"id", cell.id},
                          {"dataset", sets[static_cast<std::size_t>(cell.set)].name},
                          {"method", cell.method},
                          {"seed", cell.seed},
                          {"expected_seconds", cell.cost.seconds},
                          {"expected_memory_mib", cell.cost.memory_mib},
                          {"measured", cell.cost.measured}});
  }
  return {{"schema_version", kSchema}, {"glint", version}, {"datasets", sets_json},
          {"methods", methods},        {"seeds", seeds},   {"settings", settings},
          {"cells", cells_json}};
}

LeaguePlan LeaguePlan::from_json(const json& j, const std::string& name) {
  LeaguePlan plan;
  try {
    if (j.at("schema_version") != kSchema)
      fail(ErrorCode::kBadInput, "{}: schema_version is not {}; plan again", name, kSchema);
    for (const json& s : j.at("datasets")) {
      LeagueSet set;
      set.name = s.at("name").get<std::string>();
      for (const json& folder : s.at("folders"))
        set.folders.emplace_back(name_bytes(folder.get<std::string>()));
      set.fingerprint = s.at("fingerprint").get<std::string>();
      set.train_images = s.at("train_images").get<int>();
      set.test_good = s.at("test_good").get<int>();
      set.test_anomalous = s.at("test_anomalous").get<int>();
      plan.sets.push_back(std::move(set));
    }
    plan.methods = j.at("methods").get<std::vector<std::string>>();
    plan.seeds = j.at("seeds").get<int>();
    plan.settings = j.at("settings");
    plan.version = j.at("glint").get<std::string>();
    for (const json& c : j.at("cells")) {
      Cell cell;
      cell.id = c.at("id").get<std::string>();
      const std::string of = c.at("dataset").get<std::string>();
      const auto set =
          std::find_if(plan.sets.begin(), plan.sets.end(), [&](const LeagueSet& s) { return s.name == of; });
      if (set == plan.sets.end())
        fail(ErrorCode::kBadInput, "{}: cell {} is of no data set of the plan; plan again", name, cell.id);
      cell.set = static_cast<int>(set - plan.sets.begin());
      cell.method = c.at("method").get<std::string>();
      cell.seed = c.at("seed").get<int>();
      cell.cost = {c.at("expected_seconds").get<double>(), c.at("expected_memory_mib").get<int>(),
                   c.at("measured").get<bool>()};
      if (cell.id != cell_id(plan, cell)) {
        fail(ErrorCode::kBadInput, "{}: cell {} does not follow from the plan's settings; plan again", name,
             cell.id);
      }
      plan.cells.push_back(std::move(cell));
    }
  } catch (const json::exception& e) {
    fail(ErrorCode::kBadInput, "{}: not a plan ({}); plan again", name, e.what());
  }
  return plan;
}

fs::path LeagueFolder::photographs(const LeagueSet& set) const {
  return root / "pictures" / (file_part(set.name) + "." + set.fingerprint.substr(0, kIdDigits));
}

LeaguePlan load_plan(const LeagueFolder& folder) {
  const std::string name = name_line(folder.plan());
  if (!fs::exists(folder.plan()))
    fail(ErrorCode::kNotFound, "{}: no plan there; `glint compare DATASET -o {} --plan` makes one", name,
         name_line(folder.root));
  const json j = json::parse(read_text(folder.plan()), nullptr, false);
  if (j.is_discarded()) fail(ErrorCode::kBadInput, "{}: is not valid JSON; plan again", name);
  return LeaguePlan::from_json(j, name);
}

void save_plan(const LeagueFolder& folder, const LeaguePlan& plan) {
  write_text(folder.plan(), plan.to_json().dump(2) + "\n");
}

const Cell& find_cell(const LeaguePlan& plan, const std::string& id) {
  std::vector<std::string> ids;
  for (const Cell& cell : plan.cells) {
    if (cell.id == id) return cell;
    ids.push_back(cell.id);
  }
  const std::string near = nearest_name(id, ids);
  fail(ErrorCode::kConfig, "no cell '{}'{}; plan.json lists them", id,
       near.empty() ? "" : "; did you mean '" + near + "'?");
}

}  // namespace glint
