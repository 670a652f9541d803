// Options of EfficientAD (Batzner, Heckler and König, WACV 2024); the defaults of the fields are the
// published recipe's (those of the code of nelson1425 where the paper has no number).
#pragma once

#include "glint/base/options.h"

namespace glint {

enum class DescriptionSize { kSmall, kMedium };
template <>
struct EnumNames<DescriptionSize> {
  static constexpr std::pair<DescriptionSize, std::string_view> table[] = {
      {DescriptionSize::kSmall, "small"}, {DescriptionSize::kMedium, "medium"}};
};

/// Pictures of other things, on which the student is kept from following the teacher.
enum class StudentPenalty { kTextures, kNone };
template <>
struct EnumNames<StudentPenalty> {
  static constexpr std::pair<StudentPenalty, std::string_view> table[] = {
      {StudentPenalty::kTextures, "textures"}, {StudentPenalty::kNone, "none"}};
};

struct EfficientAdOptions {
  DescriptionSize size = DescriptionSize::kSmall;
  double width = 1;  ///< of the published hidden channels of teacher and student
  double learning_rate = 1e-4, weight_decay = 1e-5;
  double hard_share = 0.999;  ///< quantile above which a squared difference counts
  StudentPenalty penalty = StudentPenalty::kTextures;
  int meta_epochs = 70;
  int steps = 1000;  ///< published: 70,000 steps in all, one picture each

  double distill_learning_rate = 1e-4;
  double distill_final_learning_rate = 1;  ///< share of the first; published: constant
  int distill_batch = 16;
  int distill_epochs = 60;
  int distill_steps = 1000;  ///< published: 60,000 steps in all

  void describe(OptionTable& table) {
    table.add("efficientad.size", size, "which published description network");
    table.add("efficientad.width", width, "share of the published hidden channels of teacher and student",
              {0.01, 1});
    table.add("efficientad.learning_rate", learning_rate,
              "step size of student and autoencoder; a tenth of it after 95 % of the steps", {0, 1});
    table.add("efficientad.weight_decay", weight_decay, "L2 decay inside Adam, of the distillation too",
              {0, 1});
    table.add("efficientad.hard_share", hard_share,
              "quantile of the squared differences above which the student learns from them", {0, 0.999999});
    table.add("efficientad.penalty", penalty,
              "pictures of other things on which the student shall give nothing");
    table.add("efficientad.meta_epochs", meta_epochs, "tracker readings and resume points", {1, 100000});
    table.add("efficientad.steps", steps,
              "optimiser steps per meta-epoch, one picture each; meta_epochs * steps = 70,000 is the "
              "published length (--recipe baseline), the other recipes are short",
              {1, 100000});
    table.add("efficientad.distill_learning_rate", distill_learning_rate,
              "step size of the teacher's own training", {0, 1});
    table.add("efficientad.distill_final_learning_rate", distill_final_learning_rate,
              "share of it at the end, along a cosine; 1 = constant (published)", {0, 1});
    table.add("efficientad.distill_batch", distill_batch, "pictures a step of the teacher's training",
              {1, 1024});
    table.add("efficientad.distill_epochs", distill_epochs, "resume points of the teacher's training",
              {1, 100000});
    table.add("efficientad.distill_steps", distill_steps,
              "steps between two of them; distill_epochs * distill_steps = 60,000 is the published length",
              {1, 100000});
  }
};

}  // namespace glint
