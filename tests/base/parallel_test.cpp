#include "glint/base/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

namespace glint {
namespace {

TEST(Parallel, DoesEachItemOnce) {
  for (int round = 0; round < 50; ++round) {
    std::vector<std::atomic<int>> done(97);
    parallel_for(
        97, [&](std::int64_t i) { ++done[static_cast<std::size_t>(i)]; }, 4);
    for (const auto& times : done) ASSERT_EQ(times, 1);
  }
}

TEST(Parallel, KeepsItsThreadsBetweenCalls) {
  std::mutex mutex;
  std::set<std::thread::id> seen;
  for (int round = 0; round < 40; ++round) {
    parallel_for(
        2,
        [&](std::int64_t) {
          std::this_thread::sleep_for(std::chrono::milliseconds(1));
          const std::lock_guard lock(mutex);
          seen.insert(std::this_thread::get_id());
        },
        2);
  }
  EXPECT_LE(seen.size(), 8U) << "a new thread for every call would be up to 41";
}

TEST(Parallel, WorksWithinItselfAndFromSeveralThreads) {
  std::atomic<int> sum{0};
  const auto nested = [&] {
    parallel_for(
        6,
        [&](std::int64_t) {
          parallel_for(
              5, [&](std::int64_t) { ++sum; }, 3);
        },
        3);
  };
  {
    std::vector<std::jthread> callers;
    for (int i = 0; i < 4; ++i) callers.emplace_back(nested);
  }
  EXPECT_EQ(sum, 4 * 30);
}

TEST(Parallel, ThrowsTheFirstErrorAndGoesOnWorking) {
  std::atomic<int> done{0};
  EXPECT_THROW(parallel_for(
                   1000,
                   [&](std::int64_t i) {
                     if (i == 3) throw std::runtime_error("three");
                     ++done;
                   },
                   3),
               std::runtime_error);
  parallel_for(
      10, [&](std::int64_t) { ++done; }, 3);
}

TEST(Parallel, AControlGroupsQuotaCounts) {
  EXPECT_EQ(quota_threads("200000 100000"), 2);
  EXPECT_EQ(quota_threads("50000 100000"), 1);
  EXPECT_EQ(quota_threads("max 100000"), 0);
  EXPECT_EQ(quota_threads(""), 0);
  EXPECT_GE(available_threads(), 1);
}

}  // namespace
}  // namespace glint
