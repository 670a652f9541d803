// Reads golden files: from the folder named by GLINT_GOLDENS when it is set, otherwise from the project's
// copy.
#pragma once

#include <cstdlib>
#include <filesystem>
#include <string>

#include "glint/nn/safetensors.h"

namespace glint {

inline SafetensorsFile golden(const std::string& name) {
  const char* folder = std::getenv("GLINT_GOLDENS");
  return read_safetensors(std::filesystem::path(folder && *folder ? folder : GLINT_TEST_GOLDENS) /
                          (name + ".safetensors"));
}

/// A fresh folder for one test, removed when it ends.
class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "glint-test-XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace glint
