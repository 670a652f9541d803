// What annotation tools export: which image has which regions of which class. Parsing only; files may come
// from strangers, so every number is checked before it is used. What cannot become a region is kept by name,
// so that nobody takes the image for a good one.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "glint/data/dataset.h"
#include "glint/labels/region_shape.h"

namespace glint {

struct LabelledRegion {
  std::string label;
  RegionShape shape;
};

/// A result that has no area: a point, a text, a rating, or a kind that is not known here.
struct ShapelessResult {
  std::string kind;            ///< as the export writes it: "keypointlabels", "textarea"
  bool marks_a_place = false;  ///< a point, a line, or unknown: a defect may be there
};

struct LabelledImage {
  std::string name;           ///< as the export writes it: a file name, a path or an address
  int width = 0, height = 0;  ///< as the export says; 0 when it does not
  std::vector<LabelledRegion> regions;
  std::vector<std::string> choices;  ///< said of the whole image
  std::vector<ShapelessResult> shapeless;
  std::vector<DefectBox> boxes;  ///< without an outline: kept apart, so that none becomes a mask

  bool says_nothing() const {
    return regions.empty() && choices.empty() && shapeless.empty() && boxes.empty();
  }
};

struct LabelFile {
  std::vector<LabelledImage> images;
  std::vector<std::string> problems;  ///< entries that cannot be used, each with its place
  bool unlisted_are_good = false;     ///< the file lists the defective images only
};

/// Label Studio, "JSON" export (https://labelstud.io/guide/export): the last annotation of a task that was
/// not cancelled, or the last one marked as ground truth. Regions: rectangle, polygon, ellipse, brush and
/// magic wand (run-length code), bitmask; with the label in the same result or in one of the same id. A
/// problem, with the task and its image: annotations of which some mark defects and others none or say
/// something else of the whole image, a region without a label or with several, an image that was turned in
/// the editor, several images in one task, a task that nobody annotated (predictions and drafts do not
/// count). Error(kBadInput) naming `file` when it is no such export.
LabelFile parse_label_studio(std::string_view text, const std::string& file);

/// COCO instance annotations (https://cocodataset.org/#format-data): polygons, and run-length codes as a list
/// or a string; a box alone is kept as a box. A problem: an annotation of an image or category that is not
/// listed, one without outline and box, coordinates that are shares of the image and not pixels.
LabelFile parse_coco(std::string_view text, const std::string& file);

/// Pascal VOC, one image's XML file (NEU-DET, GC10-DET): boxes, in pixels as the file has them. A problem: no
/// <filename>, an <object> without name or with sides that are no numbers, a box without area or far outside
/// the image. Error(kBadInput) naming `file` when it is no such file.
LabelFile parse_voc(std::string_view text, const std::string& file);
/// One file, or all XML files of a folder; what parse_voc throws becomes a problem.
LabelFile read_voc(const std::filesystem::path& file_or_folder);

/// Severstal's train.csv (ImageId, ClassId, EncodedPixels, or ImageId_ClassId, EncodedPixels): classes
/// "class_1" to "class_4" of 1600x256 pictures. The form with three columns lists defects only. A problem: a
/// class other than 1 to 4, runs that overlap or do not fit, a pair that is listed twice. Error(kBadInput) as
/// above.
LabelFile parse_severstal(std::string_view text, const std::string& file);

/// NEU's form for segmentation: annotations/{training,test}/NAME.png with class numbers 0 to 3 (inclusion,
/// patches, scratches) for images/{training,test}/NAME.jpg. Error(kBadInput) when the folder is none.
LabelFile read_neu_segmentation(const std::filesystem::path& folder);

}  // namespace glint
