// Options declared once: a table binds each field of a plain struct to its dotted name, help text and rule,
// and serves the command line (--set), the configuration file, the model file and the report. Not a
// command-line parser.
#pragma once

#include <concepts>
#include <functional>
#include <limits>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "glint/base/error.h"

namespace glint {

/// Specialise with `static constexpr std::pair<E, std::string_view> table[]` to give an enum its names.
template <class E>
struct EnumNames;

template <class E>
concept NamedEnum = requires {
  EnumNames<E>::table;
};

template <NamedEnum E>
std::string_view enum_name(E value) {
  for (const auto& [e, name] : EnumNames<E>::table) {
    if (e == value) return name;
  }
  return "?";
}

template <NamedEnum E>
std::string enum_choices() {
  std::string out;
  for (const auto& [e, name] : EnumNames<E>::table) {
    if (!out.empty()) out += "|";
    out += name;
  }
  return out;
}

/// Throws Error(kConfig) that lists the choices when `text` names no value.
template <NamedEnum E>
E parse_enum(std::string_view text, std::string_view field) {
  for (const auto& [e, name] : EnumNames<E>::table) {
    if (name == text) return e;
  }
  fail(ErrorCode::kConfig, "{} = '{}': choose one of {}", field, text, enum_choices<E>());
}

/// Closed interval a number must lie in.
struct Range {
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
};

/// One bound option.
struct OptionField {
  std::string name;    ///< dotted, e.g. "simplenet.noise_std"
  std::string help;    ///< one sentence, with unit
  std::string values;  ///< what may be given, for help output
  std::function<nlohmann::json()> get;
  std::function<void(const nlohmann::json&)> set;  ///< throws Error(kConfig) naming field, value and rule
};

/// The table refers to the struct it was built from and must not outlive it.
class OptionTable {
 public:
  void add(std::string name, int& field, std::string help, Range range = {});
  void add(std::string name, std::int64_t& field, std::string help, Range range = {});
  void add(std::string name, double& field, std::string help, Range range = {});
  void add(std::string name, std::string& field, std::string help);

  template <NamedEnum E>
  void add(std::string name, E& field, std::string help) {
    fields_.push_back({name, std::move(help), enum_choices<E>(),
                       [&field] { return nlohmann::json(std::string(enum_name(field))); },
                       [&field, name](const nlohmann::json& v) {
                         if (!v.is_string()) {
                           fail(ErrorCode::kConfig, "{} = {}: choose one of {}", name, v.dump(),
                                enum_choices<E>());
                         }
                         field = parse_enum<E>(v.get<std::string>(), name);
                       }});
  }

  std::span<const OptionField> fields() const { return fields_; }

  /// Sets one option. An unknown name is an Error(kConfig) that suggests the nearest one.
  void set(std::string_view name, const nlohmann::json& value);

  /// "key=value": the value is JSON when it parses as JSON, otherwise a string.
  void set_assignment(std::string_view assignment);

  /// Nested ({"simplenet": {"noise_std": 0.015}}) or dotted keys, both accepted.
  void set_all(const nlohmann::json& object);

  /// All fields as one nested object.
  nlohmann::json to_json() const;

 private:
  std::vector<OptionField> fields_;
};

/// The candidate with the smallest edit distance to `name`, empty when none is near.
std::string nearest_name(std::string_view name, std::span<const std::string> candidates);

}  // namespace glint
