#include "glint/detect/model_file.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <span>

#include "glint/base/error.h"
#include "glint/base/names.h"
#include "glint/detect/model_record.h"
#include "glint/nn/backbone.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/runtime.h"

namespace glint {
namespace {

using nlohmann::json;

constexpr const char* kRecordKey = "glint_model";
constexpr const char* kBackbonePrefix = "backbone.";
constexpr const char* kMethodPrefix = "method.";
constexpr const char* kCalibrationPrefix = "calibration.";
constexpr const char* kRangePrefix = "activation_range.";
constexpr const char* kParityPrefix = "parity.";
constexpr const char* kReference = "alignment.reference";

std::string text_at(const json& object, const char* key, const std::string& name) {
  if (!object.is_object() || !object.contains(key) || !object[key].is_string()) {
    fail(ErrorCode::kBadInput, "{}: not a usable glint model (its record lacks '{}'); train it again", name,
         key);
  }
  return object[key].get<std::string>();
}

template <class Options>
json options_json(Options options) {
  OptionTable table;
  options.describe(table);
  return table.to_json().front();  // the table's own section
}

template <class Options>
void read_options(Options& options, const json& record, const char* section, const std::string& name) {
  OptionTable table;
  options.describe(table);
  if (!record.contains(section))
    fail(ErrorCode::kBadInput, "{}: the record lacks '{}'; train it again", name, section);
  try {
    table.set_all(json{{section, record[section]}});
  } catch (const Error& e) {
    fail(ErrorCode::kBadInput, "{}: not a usable glint model ({}); train it again", name, e.what());
  }
}

/// The options that the method was trained with, where the record has them.
void read_method_options(Method& method, const json& config, const std::string& name) {
  OptionTable table;
  method.describe(table);
  try {
    for (const OptionField& field : table.fields()) {
      const auto dot = field.name.find('.');
      const std::string section = field.name.substr(0, dot), key = field.name.substr(dot + 1);
      if (config.is_object() && config.contains(section) && config[section].is_object() &&
          config[section].contains(key))
        field.set(config[section][key]);
    }
  } catch (const Error& e) {
    fail(ErrorCode::kBadInput, "{}: not a usable glint model ({}); train it again", name, e.what());
  }
}

}  // namespace

json full_record(const Model& model) {
  json record = model.record;
  record["schema_version"] = kModelSchemaVersion;
  record["method"] = model.method;
  record["backbone"] = {{"name", model.backbone.name},
                        {"sha256", model.backbone.sha256},
                        {"source", model.backbone.source},
                        {"licence", model.backbone.licence}};
  record["input"] = options_json(model.input);
  record["scoring"] = options_json(model.scoring);
  if (model.precision) record["precision"] = enum_name(*model.precision);
  record["engine"] = enum_name(model.engine);
  if (model.photographs) record["photographs"] = model.photographs->to_json();
  if (model.registration) {
    record["alignment"]["quality_bound"] = model.registration->quality_bound();
    record["alignment"]["margin_bound"] = model.registration->margin_bound();
  }
  record["training"] = model.training.to_json();
  return record;
}

SafetensorsFile model_to_file(const Model& model) {
  SafetensorsFile file;
  add_prefixed(file.tensors, kBackbonePrefix, model.backbone_weights);
  add_prefixed(file.tensors, kMethodPrefix, model.method_weights);
  add_prefixed(file.tensors, kCalibrationPrefix, model.calibration_patches);
  for (const auto& [name, ranges] : model.activation_ranges)
    file.tensors[kRangePrefix + name] = from_floats(ranges, {std::ssize(ranges)});
  if (model.capsule) add_prefixed(file.tensors, kParityPrefix, model.capsule->pack());
  if (model.registration) {
    const GreyImage& reference = model.registration->reference();
    const std::span bytes = std::as_bytes(std::span(reference.pixels));
    file.tensors[kReference] = {
        DType::kU8, {reference.height, reference.width}, {bytes.begin(), bytes.end()}};
  }
  try {
    file.metadata[kRecordKey] = full_record(model).dump();
  } catch (const json::type_error& e) {
    fail(ErrorCode::kBadInput, "the model's record holds text that is not UTF-8 ({})", e.what());
  }
  add_checksum(file);
  return file;
}

namespace {

std::optional<Registration> read_registration(const InputOptions& input, const TensorDict& tensors,
                                              const json& record, const std::string& name) {
  if (input.align == Align::kNone) return std::nullopt;
  const HostTensor& tensor = require_tensor(tensors, kReference, name);
  const json alignment = record.value("alignment", json());
  const auto bound = [&](const char* key) {
    const json value = alignment.is_object() ? alignment.value(key, json()) : json();
    if (!value.is_number() || !(std::abs(value.get<double>()) <= 1)) {
      fail(ErrorCode::kBadInput,
           "{}: not a usable glint model (alignment.{} is no correlation); train it again", name, key);
    }
    return value.get<double>();
  };
  const auto& shape = tensor.shape;
  if (input.align != Align::kRigid || tensor.dtype != DType::kU8 || shape.size() != 2 ||
      std::max(shape[0], shape[1]) != kRegistrationSide ||
      std::min(shape[0], shape[1]) < kLeastRegistrationSide) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}' is no reference picture of an alignment; train it again",
         name, kReference);
  }
  GreyImage reference{static_cast<int>(shape[1]), static_cast<int>(shape[0]), {}};
  for (const std::byte b : tensor.data) reference.pixels.push_back(std::to_integer<std::uint8_t>(b));
  return Registration(std::move(reference), bound("quality_bound"), bound("margin_bound"));
}

ActivationRanges read_ranges(const TensorDict& tensors, const std::string& name) {
  ActivationRanges out;
  for (const auto& [tensor_name, tensor] : tensors) {
    std::vector<float> values;
    if (tensor.dtype == DType::kF32 && tensor.shape.size() == 1) values = to_floats(tensor);
    // Neither a scale of 0 nor one that overflows; normal networks stay below 1e4.
    constexpr float kLeast = 1e-12F, kMost = 1e12F;
    if (values.empty() ||
        !std::all_of(values.begin(), values.end(), [](float v) { return v >= kLeast && v <= kMost; })) {
      fail(ErrorCode::kBadInput, "{}: tensor '{}{}' is no range of activations; train it again", name,
           kRangePrefix, tensor_name);
    }
    out[tensor_name] = std::move(values);
  }
  return out;
}

}  // namespace

Model model_from_file(const SafetensorsFile& file, const std::string& name) {
  const auto it = file.metadata.find(kRecordKey);
  if (it == file.metadata.end())
    fail(ErrorCode::kBadInput, "{}: not a glint model; make one with `glint train`", name);
  Model model;
  model.file = name;
  model.record = parse_bounded_json(it->second);
  if (!model.record.is_object())
    fail(ErrorCode::kBadInput, "{}: the model's record is damaged; train it again", name);
  const json version = model.record.value("schema_version", json());
  if (!version.is_number_integer() || version.get<std::int64_t>() < kOldestModelSchema ||
      version.get<std::int64_t>() > kModelSchemaVersion) {
    fail(ErrorCode::kBadInput,
         "{}: model format {}, this program reads {} to {}; train it again or use another version", name,
         version.dump(), kOldestModelSchema, kModelSchemaVersion);
  }
  if (!verify_checksum(file, name) && version.get<std::int64_t>() > kOldestModelSchema)
    fail(ErrorCode::kBadInput, "{}: its checksum is missing: the file was damaged or changed", name);
  check_record(model.record, name);
  model.training = read_training(model.record, name);
  model.record.erase("training");
  model.method = text_at(model.record, "method", name);
  const json backbone = model.record.value("backbone", json());
  model.backbone = {text_at(backbone, "name", name), text_at(backbone, "sha256", name),
                    text_at(backbone, "source", name), text_at(backbone, "licence", name)};
  read_options(model.input, model.record, "input", name);
  read_options(model.scoring, model.record, "scoring", name);
  model.input.validate();
  if (model.input.aspect < 1 / kLargestAspect)
    fail(ErrorCode::kBadInput, "{}: 'input.aspect' = {} is no shape of an input", name, model.input.aspect);
  model.registration = read_registration(model.input, file.tensors, model.record, name);
  model.backbone_weights = take_prefixed(file.tensors, kBackbonePrefix);
  model.method_weights = take_prefixed(file.tensors, kMethodPrefix);
  model.calibration_patches = take_prefixed(file.tensors, kCalibrationPrefix);
  for (const auto& [tensor_name, tensor] : file.tensors) {
    if (!all_finite(tensor) || (tensor_name.starts_with(kBackbonePrefix) && !is_floating(tensor.dtype)))
      fail(ErrorCode::kBadInput, "{}: tensor '{}' holds values that are not finite; train it again", name,
           tensor_name);
  }
  check_scores(model.calibration_patches, kCalibrationPrefix, name);
  model.activation_ranges = read_ranges(take_prefixed(file.tensors, kRangePrefix), name);
  model.capsule = ParityCapsule::unpack(take_prefixed(file.tensors, kParityPrefix), kParityPrefix, name);
  if (model.capsule && !(model.capsule->input_size() == model.input.input_size())) {
    fail(ErrorCode::kBadInput, "{}: tensor '{}input' is no input of this model; train it again", name,
         kParityPrefix);
  }
  if (model.record.contains("precision")) {
    const std::string text = text_at(model.record, "precision", name);
    for (const Precision p : {Precision::kFloat32, Precision::kBFloat16, Precision::kInt8}) {
      if (enum_name(p) == text) model.precision = p;
    }
    if (!model.precision)
      fail(ErrorCode::kBadInput, "{}: not a usable glint model (precision '{}'); train it again", name, text);
  }
  if (model.record.contains("engine")) {
    const std::string text = text_at(model.record, "engine", name);
    if (text == enum_name(Engine::kOneDnn))
      model.engine = Engine::kOneDnn;
    else if (text != enum_name(Engine::kTorch))
      fail(ErrorCode::kBadInput, "{}: made for engine '{}', which this program does not have; train it again",
           name, text);
  }
  if (model.record.contains("photographs"))
    model.photographs = PhotographSizes::from_json(model.record["photographs"], name);
  return model;
}

Model load_model(const std::filesystem::path& path) {
  return model_from_file(read_safetensors(path), name_line(path));
}

void save_model(const Model& model, const std::filesystem::path& path) {
  write_safetensors(path, model_to_file(model));
}

Inspector::Inspector(const Model& model, DeviceChoice device, Precision precision, const std::string& name)
    : views_(model.input, model.registration),
      precision_(resolve_precision(
          precision == Precision::kAuto ? model.precision.value_or(Precision::kAuto) : precision, device)) {
  try {
    method_ = make_method(model.method);
    detector_ = open(model, device, name);
  } catch (const Error& e) {
    if (std::string(e.what()).find(name) != std::string::npos) throw;
    fail(e.code(), "{}: {}", name, e.what());
  }
}

std::unique_ptr<Detector> Inspector::open(const Model& model, DeviceChoice device, const std::string& name) {
  const auto backbone = std::make_shared<Backbone>(model.backbone_weights.empty()
                                                       ? open_backbone(model.backbone.name)
                                                       : Backbone(model.backbone, model.backbone_weights));
  const std::string hash = weights_sha256(backbone->weights());
  if (hash != model.backbone.sha256) {
    fail(ErrorCode::kBadInput,
         "{}: was trained with backbone {} ({}), found {}; use the original backbone file", name,
         model.backbone.name, model.backbone.sha256, hash);
  }
  backbone->to(device, precision_, model.engine, model.activation_ranges);
  if (model.precision && (*model.precision != precision_ || model.engine != backbone->engine())) {
    deviation_ = fmt::format(
        "scores are computed by {} in {}, the threshold was set by {} in {}: verdicts near it may differ",
        enum_name(backbone->engine()), enum_name(precision_), enum_name(model.engine),
        enum_name(*model.precision));
  }
  read_method_options(*method_, model.record.value("config", json()), name);
  check_method(*method_, backbone->spec(), model.input);
  return method_->load(backbone, model.method_weights, name);
}

std::vector<PhotographScores> Inspector::patch_scores(const std::vector<RgbImage>& photographs) const {
  std::vector<Views> views;
  std::vector<const Views*> each;
  for (const RgbImage& image : photographs) views.push_back(views_.make(image));
  for (const Views& of_one : views) each.push_back(&of_one);
  return score_views(*detector_, views_, each);
}

std::vector<PhotographScores> score_views(const Detector& detector, const ViewMaker& views,
                                          const std::vector<const Views*>& photographs) {
  std::vector<PhotographScores> out;
  constexpr std::size_t kBatch = 8;  // inputs at once
  const auto per = static_cast<std::size_t>(views.per_photograph());
  std::vector<PatchScores> scores;
  std::vector<RgbImage> batch;
  for (std::size_t i = 0; i < photographs.size() * per; ++i) {
    batch.push_back(photographs[i / per]->inputs[i % per]);
    if (batch.size() < kBatch && i + 1 < photographs.size() * per) continue;
    for (PatchScores& of_one : detector.patch_scores(batch)) scores.push_back(std::move(of_one));
    batch.clear();
  }
  for (std::size_t i = 0; i < photographs.size(); ++i) {
    const auto first = std::make_move_iterator(scores.begin() + static_cast<std::ptrdiff_t>(i * per));
    out.push_back(views.merge({first, first + static_cast<std::ptrdiff_t>(per)}, photographs[i]->placement));
  }
  return out;
}

std::vector<PatchScores> calibration_scores(const Model& model) {
  return unpack_scores(model.calibration_patches, kCalibrationPrefix, model.file);
}

}  // namespace glint
