// The studies' parts, for the list in study.cpp. One file per kind of study.
#pragma once

#include "glint/study/study.h"

namespace glint {

/// Studies that look at the refined detector in different ways.
std::vector<Arm> refined_only(const StudyInput& input);

/// One row an arm: its name in the column `what`, then the figures.
StudyTable figure_table(const std::vector<ArmResult>& arms, const std::string& what);
/// Each arm against the first, as a table and as sentences.
void add_differences(StudyReport& report, const std::vector<ArmResult>& arms);
/// Saturated runs and last loss of each arm.
StudyTable training_table(const std::vector<ArmResult>& arms, const std::string& what);

// study_training.cpp: the arms differ in how they were trained
std::vector<Arm> baseline_arms(const StudyInput& input);
StudyReport baseline_report(const StudyInput& input, const std::vector<ArmResult>& arms);
std::vector<Arm> augmentation_arms(const StudyInput& input);
StudyReport augmentation_report(const StudyInput& input, const std::vector<ArmResult>& arms);
std::vector<Arm> saturation_arms(const StudyInput& input);
StudyReport saturation_report(const StudyInput& input, const std::vector<ArmResult>& arms);
std::vector<Arm> noise_clean_arms(const StudyInput& input);
StudyReport noise_clean_report(const StudyInput& input, const std::vector<ArmResult>& arms);
std::vector<Arm> methods_arms(const StudyInput& input);
StudyReport methods_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_simplenet.cpp: SimpleNet's published configuration and the fixes of its successors
std::vector<Arm> simplenet_arms(const StudyInput& input);
StudyReport simplenet_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_scoring.cpp: one detector, scored differently
StudyReport smoothing_report(const StudyInput& input, const std::vector<ArmResult>& arms);
StudyReport aggregation_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_leakage.cpp: what a dishonest evaluation would show
std::vector<Arm> leakage_arms(const StudyInput& input);
StudyReport leakage_report(const StudyInput& input, const std::vector<ArmResult>& arms);
StudyReport test_size_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_choice.cpp: what good parts alone say of a detector, beside the test set
std::vector<Arm> choice_arms(const StudyInput& input);
StudyReport choice_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_contamination.cpp: defective parts among the training images
std::vector<Arm> contamination_arms(const StudyInput& input);
StudyReport contamination_report(const StudyInput& input, const std::vector<ArmResult>& arms);

// study_failures.cpp
StudyReport failures_report(const StudyInput& input, const std::vector<ArmResult>& arms);

}  // namespace glint
