#include "glint/detect/training_record.h"

#include <gtest/gtest.h>

#include <cmath>

#include "glint/base/error.h"

namespace glint {
namespace {

using nlohmann::json;

/// As model files of every version hold it (docs/model-file.md).
const json kWritten = json::parse(R"({
  "series": [{"meta_epoch": 1, "loss": 0.5, "real_mean": null}, {"meta_epoch": 2, "loss": 0.25}],
  "readings": {"loss": "loss of both parts"},
  "curves": [{"title": "Loss", "keys": ["loss"]}],
  "saturated": true, "feature_seconds": 1.5, "training_seconds": 2.5, "peak_mib": 100.0,
  "precision": "float32", "embedding_dimension": 48, "feature_scale": 0.75,
  "decision": {"series": [], "curves": [], "saturated": false}})");

TEST(TrainingRecord, ReadsWhatFilesHoldAndWritesItAgain) {
  const TrainingRecord record = TrainingRecord::from_json(kWritten, "training");
  ASSERT_EQ(record.series.size(), 2U);
  EXPECT_EQ(record.series[1].meta_epoch, 2);
  EXPECT_EQ(record.series[1].value("loss"), 0.25);
  EXPECT_TRUE(std::isnan(record.series[0].value("real_mean"))) << "null: was not measured";
  EXPECT_EQ(record.curves.at(0).keys, std::vector<std::string>{"loss"});
  EXPECT_EQ(record.readings.at("loss"), "loss of both parts");
  EXPECT_TRUE(record.saturated);
  EXPECT_EQ(record.times.value().training, 2.5);
  EXPECT_EQ(record.peak_mib, 100.0);
  EXPECT_EQ(std::get<std::int64_t>(record.figures.at("embedding_dimension")), 48);
  ASSERT_EQ(record.parts.size(), 1U);
  EXPECT_EQ(record.parts[0].name, "decision");
  EXPECT_FALSE(record.parts[0].times);
  json expected = kWritten;
  expected["series"][0].erase("real_mean");
  EXPECT_EQ(record.to_json(), expected);
}

TEST(TrainingRecord, RefusalsNameTheEntry) {
  const auto refusal = [](const char* pointer, const json& value) {
    json record = kWritten;
    record[json::json_pointer(pointer)] = value;
    try {
      TrainingRecord::from_json(record, "training");
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("accepted");
  };
  EXPECT_EQ(refusal("/series", 1), "'training.series' is no list");
  EXPECT_EQ(refusal("/series/0/loss", "low"), "'training.series' holds something that is no number");
  EXPECT_EQ(refusal("/series/0/meta_epoch", 0.5), "'training.series' lacks a meta_epoch");
  EXPECT_EQ(refusal("/readings", 1), "'training.readings' is no object");
  EXPECT_EQ(refusal("/readings/loss", 1), "'training.readings.loss' is no text");
  EXPECT_EQ(refusal("/curves/0/keys", "loss"), "'training.curves' lacks titles or keys");
  EXPECT_EQ(refusal("/saturated", 1), "'training.saturated' is neither true nor false");
  EXPECT_EQ(refusal("/peak_mib", "x"), "'training.peak_mib' is no number");
  EXPECT_EQ(refusal("/decision/saturated", 1), "'training.decision.saturated' is neither true nor false");
}

}  // namespace
}  // namespace glint
