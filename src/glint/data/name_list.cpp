#include "glint/data/name_list.h"

#include <algorithm>

#include "glint/base/files.h"
#include "glint/base/names.h"

namespace glint {
namespace {

constexpr std::string_view kSpaces = " \t";

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(kSpaces);
  return first == std::string_view::npos ? std::string_view()
                                         : text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

bool is_space(char c) {
  return kSpaces.find(c) != std::string_view::npos;
}

bool starts_comment(std::string_view text, std::size_t at) {
  return text[at] == '#' && (at == 0 || is_space(text[at - 1]));
}

/// `text` up to each '#' that may start a comment, the longest first.
std::vector<std::string_view> without_comment(std::string_view text) {
  std::vector<std::string_view> out;
  for (std::size_t at = text.size(); at-- > 0;) {
    if (starts_comment(text, at)) out.push_back(trimmed(text.substr(0, at)));
  }
  return out;
}

void add_candidates(std::vector<std::string>& out, std::string_view text) {
  if (text.empty()) return;
  for (const std::string& name : {name_bytes(text), std::string(text)}) {
    for (const std::string& form : {name, name.starts_with("./") ? name.substr(2) : name}) {
      if (!form.empty() && std::find(out.begin(), out.end(), form) == out.end()) out.push_back(form);
    }
  }
}

}  // namespace

std::string list_line(std::string_view id) {
  const std::string line = name_line(name_bytes(id));
  std::string out;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const bool outer_space = line[i] == ' ' && (i == 0 || i + 1 == line.size());
    if (starts_comment(line, i)) {
      out += "\\x23";
    } else if (outer_space) {
      out += "\\x20";
    } else {
      out += line[i];
    }
  }
  return out;
}

std::vector<ListedName> read_name_list(const std::filesystem::path& file) {
  const std::string content = read_text(file);
  std::string_view rest = content;
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  std::vector<ListedName> out;
  for (int number = 1; !rest.empty(); ++number) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (trimmed(line).empty()) continue;
    ListedName name{number, std::string(line), {}, trimmed(line).starts_with('#')};
    add_candidates(name.candidates, line);
    add_candidates(name.candidates, trimmed(line));
    for (const std::string_view part : without_comment(line)) add_candidates(name.candidates, part);
    out.push_back(std::move(name));
  }
  return out;
}

}  // namespace glint
