// Distillation on a few small pictures: the chain, not the quality of the student.
#include "glint/nn/distill.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"
#include "glint/base/files.h"
#include "glint/base/random.h"
#include "glint/image/codec.h"
#include "glint/nn/backbone_net.h"
#include "glint/nn/backbone_store.h"
#include "glint/nn/tensors.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

class Distill : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder;
    images_ = new std::vector<fs::path>;
    for (int i = 0; i < 16; ++i) {
      Rng rng(1, "picture", i);
      RgbImage image(80, 72);
      const double fx = rng.uniform(0.05, 0.4), fy = rng.uniform(0.05, 0.4);
      for (int y = 0; y < image.height; ++y) {
        for (int x = 0; x < image.width; ++x) {
          for (int c = 0; c < 3; ++c)
            image.at(x, y)[c] =
                static_cast<std::uint8_t>(127 + 60 * std::sin(fx * x + fy * y + c) + rng.below(60));
        }
      }
      images_->push_back(folder_->path() / fmt::format("{}.png", i));
      write_file(images_->back(), encode_png(image));
    }
    TensorDict network;
    torch::manual_seed(2);
    for (const ConvShape& shape : conv_shapes(backbone_spec("resnet18"))) {
      const double std = std::sqrt(2.0 / (shape.in * shape.kernel * shape.kernel));
      network[shape.name + ".weight"] =
          to_host(std * torch::randn({shape.out, shape.in, shape.kernel, shape.kernel}));
      network[shape.name + ".bias"] = to_host(torch::zeros({shape.out}));
    }
    teacher_ = new Backbone({"resnet18", weights_sha256(network), "test", "none"}, network);
  }
  static void TearDownTestSuite() {
    delete teacher_;
    delete images_;
    delete folder_;
  }

  static DistillOptions options(int steps) {
    DistillOptions out;
    out.steps = steps;
    out.batch = 2;
    out.crop_px = 64;
    return out;
  }
  static DistillResult run(const DistillOptions& options, ProgressSink& progress = silent_progress()) {
    return distill(*teacher_, backbone_spec("compact"), *images_, options, progress);
  }

  inline static TemporaryFolder* folder_ = nullptr;
  inline static std::vector<fs::path>* images_ = nullptr;
  inline static Backbone* teacher_ = nullptr;
};

/// Stops as a killed process does: behind a step, without a word to the code that it stops.
class StopAfter : public ProgressSink {
 public:
  explicit StopAfter(std::int64_t step) : step_(step) {}
  void begin(const std::string& label, std::int64_t) override { distilling_ = label == "distilling"; }
  void advance(std::int64_t done, const std::string&) override {
    if (distilling_ && done == step_) throw Error(ErrorCode::kCancelled, "stop");
  }
  void end() override {}
  void message(const std::string&) override {}

 private:
  std::int64_t step_;
  bool distilling_ = false;
};

TEST_F(Distill, TheStudentComesNearerAndOpensAsABackbone) {
  const DistillResult result = run(options(12));
  EXPECT_LT(result.report.residual_layer2, result.report.start_residual_layer2);
  EXPECT_LT(result.report.residual_layer3, result.report.start_residual_layer3);
  EXPECT_EQ(result.report.images + result.report.held_out, 16);
  const fs::path file = folder_->path() / "student.safetensors";
  const BackboneIdentity identity{"compact", weights_sha256(result.weights), "test", "none"};
  write_safetensors(file, backbone_to_file(identity, result.weights));
  const Backbone student = open_backbone(file.string());
  EXPECT_EQ(student.spec().name, "compact");
  EXPECT_EQ(backbone_architecture(file.string()).name, "compact");
  EXPECT_EQ(student.features(torch::zeros({1, 3, 64, 64})).layer3.size(1), 256);
}

TEST_F(Distill, AResumedRunEqualsAnUninterruptedOneBitForBit) {
  DistillOptions interrupted = options(5);
  const TensorDict whole = run(interrupted).weights;
  interrupted.state = folder_->path() / "state";
  interrupted.state_every = 2;
  StopAfter third(3);
  EXPECT_THROW(run(interrupted, third), Error);
  ASSERT_TRUE(fs::exists(interrupted.state));
  const TensorDict resumed = run(interrupted).weights;
  ASSERT_EQ(resumed.size(), whole.size());
  for (const auto& [name, tensor] : whole) EXPECT_EQ(resumed.at(name).data, tensor.data) << name;
  EXPECT_TRUE(fs::exists(interrupted.state)) << "until the caller has written the student";
  EXPECT_EQ(run(interrupted).weights.at("conv1.weight").data, whole.at("conv1.weight").data)
      << "nothing is left to train";

  DistillOptions other = interrupted;
  other.seed = 1;
  EXPECT_THROW(run(other), Error) << "a state of other options";
  Bytes bytes = read_file(interrupted.state);
  bytes[bytes.size() / 2] ^= std::byte{0x40};
  write_file(interrupted.state, bytes);
  EXPECT_THROW(run(interrupted), Error) << "a damaged state";
}

}  // namespace
}  // namespace glint
