// EfficientAD (Batzner, Heckler and König, WACV 2024): a student follows a teacher's patch descriptions on
// good parts, and an autoencoder's, which sees the whole part. Where they part is the anomaly.
#pragma once

#include <memory>

#include "glint/detect/detector.h"

namespace glint {

std::unique_ptr<Method> make_efficientad();

}  // namespace glint
