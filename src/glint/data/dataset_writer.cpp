#include "glint/data/dataset_writer.h"

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/image/codec.h"

namespace fs = std::filesystem;

namespace glint {

DatasetWriter::DatasetWriter(fs::path out) : out_(std::move(out)) {
  if (fs::exists(out_) && !(fs::is_directory(out_) && fs::is_empty(out_))) {
    fail(ErrorCode::kBadInput, "{}: exists and is not empty; name a new folder", out_.string());
  }
  out_ = fs::absolute(out_).lexically_normal();
  if (!out_.has_filename()) out_ = out_.parent_path();
  building_ = out_;
  building_ += ".part";
  fs::remove_all(building_);
}

DatasetWriter::~DatasetWriter() {
  std::error_code ignored;
  fs::remove_all(building_, ignored);
}

void DatasetWriter::add(const fs::path& image, Role role, const std::string& label,
                        const std::optional<Mask>& mask) {
  GLINT_CHECK(role == Role::kTest || label == kGoodClass);
  const fs::path folder = fs::path(enum_name(role)) / label;
  std::string stem = image.stem().string();
  for (int n = 2; !used_.insert(folder / stem).second; ++n)
    stem = fmt::format("{}_{}", image.stem().string(), n);
  make_folder(building_ / folder);
  const fs::path to = building_ / folder / (stem + image.extension().string());
  std::error_code error;
  fs::copy_file(image, to, error);
  if (error) fail(ErrorCode::kIo, "{}: cannot copy to {}: {}", image.string(), to.string(), error.message());
  if (mask) write_file(building_ / "ground_truth" / label / (stem + "_mask.png"), encode_png(*mask));
}

void DatasetWriter::finish() {
  if (fs::exists(out_)) fs::remove(out_);
  make_folder(out_.parent_path());
  fs::rename(building_, out_);
}

}  // namespace glint
