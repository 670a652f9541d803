// The visible list of networks and what each looks like. Free of libtorch; nn/backbone.h runs them.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

namespace glint {

/// ImageNet statistics of torchvision's preprocessing, RGB on [0, 1].
inline constexpr std::array<double, 3> kImageNetMean = {0.485, 0.456, 0.406};
inline constexpr std::array<double, 3> kImageNetStd = {0.229, 0.224, 0.225};

/// What a transformer looks like. Blocks are counted from 0.
struct TransformerShape {
  int dimension = 0, heads = 0, depth = 0;
  int patch = 14;          ///< pixels per token side
  int registers = 4;       ///< register tokens, inserted behind the class token without a position
  int position_grid = 37;  ///< side of the trained position table: 518 pixels
  int mlp_ratio = 4;
};

/// What a network looks like. Stride 2 sits on the 3x3 convolution of each layer's first block ("V1.5").
struct BackboneSpec {
  std::string name;
  std::array<int, 3> blocks;  ///< per layer1..3
  std::array<int, 3> width;   ///< of the 3x3 convolutions
  bool bottleneck = false;    ///< 1x1, 3x3, 1x1 instead of 3x3, 3x3
  int expansion = 1;          ///< output channels = 64 * 2^layer * expansion
  double rank_ratio = 0;      ///< > 0: 3x3 convolutions are a 3x3 to rank_ratio * output channels, then a 1x1
  std::string official_file;  ///< where the framework publishes it; empty for ours
  std::string official_url;
  std::string licence;
  /// Set for a vision transformer; the convolutional fields above mean nothing then.
  std::optional<TransformerShape> transformer;

  int channels(int layer) const { return 64 * (1 << (layer - 1)) * expansion; }
  /// Input sides must be multiples of this.
  int input_multiple() const { return transformer ? transformer->patch : 1; }
};

/// The visible list of networks.
const std::vector<BackboneSpec>& backbone_specs();
/// Error(kConfig) with the nearest name when unknown.
const BackboneSpec& backbone_spec(const std::string& name);

/// One convolution of a network: its tensor name without ".weight", and the shape its weight must have.
struct ConvShape {
  std::string name;
  int out = 0, in = 0, kernel = 0, stride = 1;
  bool has_bias = true;
};
std::vector<ConvShape> conv_shapes(const BackboneSpec& spec);

/// Identity and origin of weights, kept in every file that holds them.
struct BackboneIdentity {
  std::string name;    ///< of the BackboneSpec
  std::string sha256;  ///< over names, shapes and float32 values of the folded tensors
  std::string source;  ///< file it came from, or how it was made
  std::string licence;
};

/// The network that open_backbone (backbone_store.h) would give, from the name or the file's tensors alone.
const BackboneSpec& backbone_architecture(const std::string& name_or_file);

}  // namespace glint
