// Comma-separated values as RFC 4180 has them: the one writer of fields and the one reader of tables.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace glint {

/// A field, in quotes where it holds a comma, a quote or a line end. Text that a spreadsheet would take for a
/// formula (it starts with one of = + - @, a tab or a carriage return) gets an apostrophe in front; so does
/// text that starts with an apostrophe, so that taking one away always gives the text back.
std::string csv_field(std::string_view text);

/// A number that reads back as the same number; an empty field for what is not finite.
std::string csv_number(double value);

/// All rows of a table. Quoted fields may hold commas, quotes and line ends; rows end with LF or CRLF; a byte
/// order mark is passed over, and so are empty lines. Error(kBadInput) names `name` and the row of a quote
/// that is never closed.
std::vector<std::vector<std::string>> parse_csv(std::string_view text, const std::string& name);

}  // namespace glint
