// The convolutional autoencoder of Bergmann et al. (2018, table 1), 4x4 strided convolutions between 3x3 ones
// down to a vector and back: what `autoencoder` and `vae` share.
#pragma once

#include <cstdint>
#include <string>

#include <string_view>

#include "glint/detect/conv_chain.h"

namespace glint {

/// The network's side must be 128, 256 or 512 (published: 128; 256 has one more halving): Error(kConfig)
/// names <method>.window.
void check_autoencoder_window(std::string_view method, int window);

/// [B, 3, window, window] -> [B, 32, 8, 8]: encoder.0, encoder.2, ... as a sequence with its activations has
/// them.
ConvChain autoencoder_body(int window);
/// [B, 32, 8, 8] -> [B, latent, 1, 1], linear.
ConvLayer latent_head(const std::string& name, std::int64_t latent);
/// The head's published name: encoder.16 at 128 pixels.
std::string latent_head_name(int window);
/// [B, latent, 1, 1] -> [B, 3, window, window] in [0, 1]: decoder.0, decoder.2, ...
ConvChain autoencoder_decoder(int window, std::int64_t latent);

}  // namespace glint
