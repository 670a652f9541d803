// glint info

#include <cstdio>

#include "glint/cli/verbs.h"
#include "glint/detect/model_file.h"
#include "glint/fit/fit.h"
#include "glint/inspect/decision.h"

namespace glint {

Action add_info(CLI::App& verb) {
  struct InfoCommand {
    std::string model;
    bool images = false;
  };
  auto args = std::make_shared<InfoCommand>();
  verb.add_option("model", args->model, "model file")->required();
  verb.add_flag("--images", args->images, "also list the training and calibration images with their hashes");
  return [args] {
    const Model model = load_model(args->model);
    // Not open_detector: the file explains itself where its backbone is absent too.
    make_decision(model);  // the threshold that is shown is the one that decides
    nlohmann::json record = full_record(model);
    if (!args->images) record.at("dataset").erase("images");
    record["fingerprint"] = model_fingerprint(model);
    std::printf("%s\n", record.dump(2).c_str());
    return kExitOk;
  };
}

}  // namespace glint
