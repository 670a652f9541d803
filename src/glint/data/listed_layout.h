// Published datasets that a list divides into training and test images.
#pragma once

#include <filesystem>
#include <string>

#include "glint/data/sample_listing.h"

namespace glint {

/// VisA: Data/Images, Data/Masks and ../split_csv/1cls.csv. Error(kBadInput) names the list and the row: a
/// missing column, a field other than the published words, an entry that points outside the dataset.
void list_visa(SampleListing& listing, const std::string& category);

/// Real-IAD: CATEGORY.json (real_iad_list). Errors as above.
void list_real_iad(SampleListing& listing);

/// The list of a Real-IAD category, wherever its archives put it; empty when there is none.
std::filesystem::path real_iad_list(const std::filesystem::path& root);

}  // namespace glint
