#include "glint/base/options.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace glint {
namespace {

std::string range_text(const Range& range, std::string_view kind) {
  const bool low = std::isfinite(range.min), high = std::isfinite(range.max);
  if (low && high) return fmt::format("{} from {} to {}", kind, range.min, range.max);
  if (low) return fmt::format("{} of at least {}", kind, range.min);
  if (high) return fmt::format("{} of at most {}", kind, range.max);
  return std::string(kind);
}

template <class T>
OptionField number_field(std::string name, T& field, std::string help, Range range, std::string_view kind) {
  const std::string rule = range_text(range, kind);
  return {name, std::move(help), rule, [&field] { return nlohmann::json(field); },
          [&field, name, range, rule](const nlohmann::json& v) {
            const bool type_fits = std::integral<T> ? v.is_number_integer() : v.is_number();
            if (!type_fits) fail(ErrorCode::kConfig, "{} = {}: must be a {}", name, v.dump(), rule);
            const double value = v.get<double>();
            if (!(value >= range.min && value <= range.max)) {
              fail(ErrorCode::kConfig, "{} = {}: must be a {}", name, v.dump(), rule);
            }
            field = v.get<T>();
          }};
}

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substitution = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substitution});
    }
  }
  return row.back();
}

void flatten(const std::string& prefix, const nlohmann::json& object,
             std::vector<std::pair<std::string, nlohmann::json>>& out) {
  for (const auto& [key, value] : object.items()) {
    const std::string name = prefix.empty() ? key : prefix + "." + key;
    if (value.is_object()) {
      flatten(name, value, out);
    } else {
      out.emplace_back(name, value);
    }
  }
}

}  // namespace

void OptionTable::add(std::string name, int& field, std::string help, Range range) {
  range.min = std::max(range.min, static_cast<double>(std::numeric_limits<int>::min()));
  range.max = std::min(range.max, static_cast<double>(std::numeric_limits<int>::max()));
  fields_.push_back(number_field(std::move(name), field, std::move(help), range, "whole number"));
}

void OptionTable::add(std::string name, std::int64_t& field, std::string help, Range range) {
  fields_.push_back(number_field(std::move(name), field, std::move(help), range, "whole number"));
}

void OptionTable::add(std::string name, double& field, std::string help, Range range) {
  fields_.push_back(number_field(std::move(name), field, std::move(help), range, "number"));
}

void OptionTable::add(std::string name, std::string& field, std::string help) {
  fields_.push_back({name, std::move(help), "text", [&field] { return nlohmann::json(field); },
                     [&field, name](const nlohmann::json& v) {
                       if (!v.is_string())
                         fail(ErrorCode::kConfig, "{} = {}: must be a text", name, v.dump());
                       field = v.get<std::string>();
                     }});
}

void OptionTable::set(std::string_view name, const nlohmann::json& value) {
  for (OptionField& field : fields_) {
    if (field.name == name) return field.set(value);
  }
  std::vector<std::string> names;
  for (const OptionField& field : fields_) names.push_back(field.name);
  const std::string nearest = nearest_name(name, names);
  fail(ErrorCode::kConfig, "unknown option '{}'{}", name,
       nearest.empty() ? "; `glint train --help` lists them" : fmt::format("; did you mean '{}'?", nearest));
}

void OptionTable::set_assignment(std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    fail(ErrorCode::kConfig, "--set {}: write key=value", assignment);
  }
  const std::string text(assignment.substr(equals + 1));
  nlohmann::json value = nlohmann::json::parse(text, nullptr, false);
  if (value.is_discarded()) value = text;
  set(assignment.substr(0, equals), value);
}

void OptionTable::set_all(const nlohmann::json& object) {
  if (!object.is_object()) fail(ErrorCode::kConfig, "the configuration must be a JSON object");
  std::vector<std::pair<std::string, nlohmann::json>> flat;
  flatten("", object, flat);
  for (const auto& [name, value] : flat) set(name, value);
}

nlohmann::json OptionTable::to_json() const {
  nlohmann::json out = nlohmann::json::object();
  for (const OptionField& field : fields_) {
    nlohmann::json* node = &out;
    std::string_view rest = field.name;
    for (std::size_t dot = rest.find('.'); dot != std::string_view::npos; dot = rest.find('.')) {
      node = &(*node)[std::string(rest.substr(0, dot))];
      rest.remove_prefix(dot + 1);
    }
    (*node)[std::string(rest)] = field.get();
  }
  return out;
}

std::string nearest_name(std::string_view name, std::span<const std::string> candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(3, name.size() / 2) + 1;
  for (const std::string& candidate : candidates) {
    std::size_t distance = edit_distance(name, candidate);
    const std::size_t dot = candidate.rfind('.');  // "noise_std" should find "simplenet.noise_std"
    if (dot != std::string::npos)
      distance = std::min(distance, 1 + edit_distance(name, candidate.substr(dot + 1)));
    if (distance < best_distance) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

}  // namespace glint
