#include "glint/nn/backbone_net.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>

#include "formula_weights.h"
#include "glint/base/error.h"
#include "glint/nn/backbone_store.h"
#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

std::vector<std::int64_t> integers(const HostTensor& t) {
  std::vector<std::int64_t> out(t.data.size() / 8);
  std::memcpy(out.data(), t.data.data(), t.data.size());
  return out;
}

class GoldenBackbone : public ::testing::TestWithParam<const char*> {};

TEST_P(GoldenBackbone, MatchesTorchvision) {
  const SafetensorsFile file = golden(std::string("backbone_") + GetParam());
  const BackboneSpec& spec = backbone_spec(GetParam());
  const double seed = std::stod(file.metadata.at("seed"));
  const TensorDict folded = fold_backbone(torchvision_weights(spec, seed), spec, "formula");
  const BackboneNet net(spec, folded, "formula");
  torch::Tensor x = torch::empty({1, 3, 96, 96});
  for (std::int64_t j = 0; j < x.numel(); ++j) {
    const auto d = static_cast<double>(j);
    x.data_ptr<float>()[j] = static_cast<float>(std::sin(0.013 * d + 0.5 * std::cos(0.0007 * d)));
  }
  const torch::NoGradGuard no_grad;
  const FeatureMaps maps = net.forward(x);
  for (const auto& [name, map] : {std::pair("layer1", maps.layer1), std::pair("layer2", maps.layer2),
                                  std::pair("layer3", maps.layer3)}) {
    const std::string prefix = name;
    EXPECT_EQ(map.sizes().vec(), integers(file.tensors.at(prefix + ".shape")));
    const auto index = integers(file.tensors.at(prefix + ".sample_index"));
    const auto values = to_floats(file.tensors.at(prefix + ".sample_value"));
    const float scale = map.abs().max().item<float>();
    const torch::Tensor flat = map.contiguous().flatten();
    for (std::size_t i = 0; i < index.size(); ++i) {
      ASSERT_NEAR(flat[index[i]].item<float>(), values[i],
                  1e-4F * std::max(std::abs(values[i]), 0.05F * scale))
          << name << ' ' << i;
    }
  }
}
INSTANTIATE_TEST_SUITE_P(All, GoldenBackbone, ::testing::Values("resnet18", "resnet50", "wide_resnet50_2"));

TEST(Backbone, FoldingNamesWhatIsMissingOrOdd) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  TensorDict weights = torchvision_weights(spec, 1);
  weights.erase("layer2.1.bn1.running_var");
  try {
    fold_backbone(weights, spec, "file.pth");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("layer2.1.bn1.running_var"), std::string::npos);
  }
  EXPECT_THROW(backbone_spec("resnet19"), Error);
}

TEST(Backbone, RecognisesNetworksAndSurvivesAFileRoundTrip) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  const TemporaryFolder folder;
  write_safetensors(folder.path() / "r.safetensors", {torchvision_weights(spec, 1), {}});
  const ImportedBackbone imported = import_backbone(folder.path() / "r.safetensors", "", "");
  EXPECT_EQ(imported.identity.name, "resnet18");
  write_safetensors(folder.path() / "s.safetensors", backbone_to_file(imported.identity, imported.weights));
  const Backbone back = open_backbone((folder.path() / "s.safetensors").string());
  EXPECT_EQ(weights_sha256(back.weights()), imported.identity.sha256);
  EXPECT_EQ(verify_backbone((folder.path() / "s.safetensors").string()).sha256, imported.identity.sha256);
}

TEST(Backbone, DamagedWeightsAreRefusedBeforeTheyTrain) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  const TemporaryFolder folder;
  const TensorDict folded = fold_backbone(torchvision_weights(spec, 1), spec, "formula");
  const BackboneIdentity identity{"resnet18", weights_sha256(folded), "formula", "none"};
  const std::string file = (folder.path() / "x.safetensors").string();
  for (const float bad : {NAN, 0.125F}) {
    TensorDict damaged = folded;
    std::memcpy(damaged["layer1.0.conv1.weight"].data.data(), &bad, sizeof(bad));
    write_safetensors(file, backbone_to_file(identity, damaged));
    EXPECT_THROW(open_backbone(file), Error);
  }
}

TEST(Backbone, ArchitectureOfANameAndOfAFile) {
  const BackboneSpec& spec = backbone_spec("resnet50");
  const TemporaryFolder folder;
  const std::string file = (folder.path() / "x.SAFETENSORS").string();
  write_safetensors(file, {torchvision_weights(spec, 1), {}});
  EXPECT_EQ(&backbone_architecture(file), &spec);
  EXPECT_EQ(&backbone_architecture("resnet50"), &spec);
  EXPECT_THROW(backbone_architecture((folder.path() / "absent.pth").string()), Error);
}

TEST(Backbone, TheEmbeddedOneNeedsNothingFromTheHomeFolder) {
  // A folder where nobody can look, root included: a link to itself.
  const TemporaryFolder folder;
  fs::create_symlink("loop", folder.path() / "loop");
  ::setenv("GLINT_CACHE", (folder.path() / "loop").c_str(), 1);
  EXPECT_NO_THROW(open_backbone("compact"));
  EXPECT_NO_THROW(list_backbones());
  EXPECT_THROW(open_backbone("resnet50"), Error);
  ::unsetenv("GLINT_CACHE");
}

TEST(Backbone, AnySizeAndBothPrecisionsAgree) {
  const BackboneSpec& spec = backbone_spec("resnet18");
  const TensorDict folded = fold_backbone(torchvision_weights(spec, 1), spec, "formula");
  Backbone backbone({"resnet18", weights_sha256(folded), "formula", "none"}, folded);
  torch::manual_seed(1);
  const torch::Tensor x = torch::randn({2, 3, 75, 101});
  const FeatureMaps plain = backbone.features(x);
  EXPECT_EQ(plain.layer2.size(3), 13);
  backbone.to(DeviceChoice::kCpu, Precision::kBFloat16);
  const FeatureMaps fast = backbone.features(x);
  const double error =
      (plain.layer3 - fast.layer3).norm().item<double>() / plain.layer3.norm().item<double>();
  EXPECT_LT(error, 0.03);
}

}  // namespace
}  // namespace glint
