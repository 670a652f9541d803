#include "glint/detect/model_record.h"

#include "glint/base/error.h"

namespace glint {
namespace {

using nlohmann::json;

/// Walks a record and fails with the path of what does not fit.
class Checker {
 public:
  explicit Checker(const std::string& name) : name_(name) {}

  [[noreturn]] void refuse(const std::string& path, const char* wanted) const {
    fail(ErrorCode::kBadInput, "{}: not a usable glint model (its record's '{}' {}); train it again", name_,
         path, wanted);
  }

  const json& member(const json& object, const std::string& at, const char* key) const {
    if (!object.contains(key)) refuse(at + key, "is missing");
    return object[key];
  }
  const json& object(const json& parent, const std::string& at, const char* key) const {
    const json& out = member(parent, at, key);
    if (!out.is_object()) refuse(at + key, "is no object");
    return out;
  }
  /// Absent is fine for the following ones.
  void number(const json& object, const std::string& at, const char* key) const {
    if (object.contains(key) && !object[key].is_number()) refuse(at + key, "is no number");
  }
  /// null stands for what cannot be said.
  void number_or_null(const json& object, const std::string& at, const char* key) const {
    if (object.contains(key) && !object[key].is_null()) number(object, at, key);
  }
  void boolean(const json& object, const std::string& at, const char* key) const {
    if (object.contains(key) && !object[key].is_boolean()) refuse(at + key, "is neither true nor false");
  }
  void text(const json& object, const std::string& at, const char* key) const {
    if (object.contains(key) && !object[key].is_string()) refuse(at + key, "is no text");
  }
  template <class Each>
  void list(const json& object, const std::string& at, const char* key, const Each& each) const {
    if (!object.contains(key)) return;
    if (!object[key].is_array()) refuse(at + key, "is no list");
    for (const json& entry : object[key]) each(entry, at + key);
  }

 private:
  const std::string& name_;
};

}  // namespace

TrainingRecord read_training(const json& record, const std::string& name) {
  constexpr const char* kTraining = "training";
  const json& training = Checker(name).object(record, "", kTraining);
  try {
    return TrainingRecord::from_json(training, kTraining);
  } catch (const Error& e) {
    fail(ErrorCode::kBadInput, "{}: not a usable glint model (its record's {}); train it again", name,
         e.what());
  }
}

void check_record(const json& record, const std::string& name) {
  const Checker check(name);
  const json& decision = check.object(record, "", "decision");
  for (const char* key : {"mode", "guarantee"}) check.text(decision, "decision.", key);
  for (const char* key : {"wished_rate", "threshold", "smallest_rate", "good_images"})
    check.number(decision, "decision.", key);
  for (const char* key : {"guaranteed_rate", "realised_rate_upper_95"})  // cross-fitting promises none
    check.number_or_null(decision, "decision.", key);

  const json& dataset = check.object(record, "", "dataset");
  for (const char* key : {"name", "fingerprint"}) check.text(dataset, "dataset.", key);
  check.list(dataset, "dataset.", "images", [&](const json& image, const std::string& where) {
    if (!image.is_object()) check.refuse(where, "holds something that is no object");
    for (const char* key : {"id", "sha256", "role"}) {
      if (!image.contains(key) || !image[key].is_string())
        check.refuse(where, "lacks an id, a hash or a role");
    }
  });
  if (record.contains("arithmetic_effect")) {
    const json& effect = check.object(record, "", "arithmetic_effect");
    check.text(effect, "arithmetic_effect.", "reference");
    for (const char* key :
         {"images", "largest_difference", "mean_difference", "verdicts_flipped", "good_scores_span"})
      check.number(effect, "arithmetic_effect.", key);
  }
  check.object(record, "", "config");
  for (const char* key : {"recipe", "run_identity"}) check.text(record, "", key);
}

}  // namespace glint
