// Published datasets of surfaces that keep good and defective photographs in one folder, or have defects
// only.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "glint/data/sample_listing.h"

namespace glint {

/// One of the layouts below, when the folders show it.
std::optional<DatasetLayout> recognise_surface_layout(const std::filesystem::path& root);

/// KolektorSDD (https://www.vicos.si/resources/kolektorsdd): kosNN/PartN.jpg with PartN_label.bmp beside it,
/// black for a good surface. The set has no division of its own for learning from good parts: good surfaces
/// of every third commutator (kos03, kos06, ...) test, those of the others train, all defective ones test.
void list_kolektor(SampleListing& listing);

/// KolektorSDD2 (https://www.vicos.si/resources/kolektorsdd2): {train,test}/NNNNN.png with NNNNN_GT.png,
/// black for a good surface. Defective surfaces of train are left out.
void list_kolektor_2(SampleListing& listing);

/// DAGM 2007, one of its classes (https://hci.iwr.uni-heidelberg.de/content/dagm-2007):
/// {Train,Test}/NNNN.PNG, Label/Labels.txt, Label/NNNN_label.PNG for the defective ones: an ellipse around
/// the defect. Defective pictures of Train are left out. A fault: a picture that Labels.txt and the label
/// images tell apart.
void list_dagm(SampleListing& listing);

/// NEU surface defects, the form for classification: one folder of CLASS_NUMBER.jpg (crazing_1.jpg) or with
/// short names (Cr_1.bmp). Six classes of defects, no good part, no masks: test images.
void list_neu(SampleListing& listing);

/// DAGM's Labels.txt: by picture, the name of its label image, empty for a good one. Lines of five fields
/// (number, 0 or 1, picture, a number, label image or 0), separated by white space; the line of one number at
/// the start is passed over. Error(kBadInput) names `file` and the line.
std::map<std::string, std::string> parse_dagm_labels(std::string_view text, const std::string& file);

}  // namespace glint
