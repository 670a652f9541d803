// The league as one HTML page: the table, what its marks mean, paired differences, classes, and the maps of
// all methods side by side for the same parts.
#pragma once

#include <string>

#include "glint/league/league.h"

namespace glint {

/// `folder`: where the pictures lie; one that is not there leaves its place empty.
std::string league_page(const League& league, const LeagueFolder& folder);

}  // namespace glint
