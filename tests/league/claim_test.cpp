// Claims of cells: one worker at a time, also over the death of another.
#include "glint/league/claim.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>
#include <vector>

#include "golden.h"

namespace fs = std::filesystem;

namespace glint {
namespace {

constexpr double kLease = 600;

TEST(Claim, OneHolderUntilItIsGivenBack) {
  const TemporaryFolder folder;
  {
    const auto first = CellClaim::take(folder.path(), "a.dfm.s0", kLease);
    ASSERT_NE(first.claim, nullptr);
    EXPECT_EQ(first.generation, 1);
    const auto second = CellClaim::take(folder.path(), "a.dfm.s0", kLease);
    EXPECT_EQ(second.claim, nullptr);
    EXPECT_EQ(second.holder, worker_name());
    EXPECT_NE(CellClaim::take(folder.path(), "a.dfm.s1", kLease).claim, nullptr) << "another cell";
    EXPECT_NE(CellClaim::take(folder.path(), "a.dfm.s", kLease).claim, nullptr) << "a name that begins so";
    EXPECT_FALSE(first.claim->lost());
  }
  const auto third = CellClaim::take(folder.path(), "a.dfm.s0", kLease);
  ASSERT_NE(third.claim, nullptr) << "given back, long before its lease ends";
  EXPECT_EQ(third.generation, 2);
  EXPECT_EQ(third.claim->deaths(0), 0);
}

TEST(Claim, OfManyWhoAskAtOnceOneWins) {
  const TemporaryFolder folder;
  for (int round = 0; round < 20; ++round) {
    std::atomic<int> winners = 0, ready = 0;
    std::vector<std::unique_ptr<CellClaim>> kept(8);
    std::vector<std::thread> threads;
    for (auto& slot : kept) {
      threads.emplace_back([&] {
        ++ready;
        while (ready < 8) std::this_thread::yield();
        slot = CellClaim::take(folder.path(), "cell", kLease).claim;
        winners += slot ? 1 : 0;
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(winners, 1) << round;
  }
}

TEST(Claim, ADeadProcessOfThisMachineIsFoundOutAtOnce) {
  const TemporaryFolder folder;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto taken = CellClaim::take(folder.path(), "cell", kLease);
    ::kill(::getpid(), SIGKILL);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  const auto taken = CellClaim::take(folder.path(), "cell", kLease);
  ASSERT_NE(taken.claim, nullptr);
  EXPECT_EQ(taken.generation, 2);
  EXPECT_EQ(taken.claim->deaths(0), 1);
  EXPECT_EQ(taken.claim->deaths(1), 0);
}

/// Makes a claim another machine's, last renewed `age` seconds ago.
void from_elsewhere(const fs::path& file, double age) {
  std::ofstream(file, std::ios::trunc)
      << R"({"host":"another machine","pid":1,"start":"1","space":"x","lease_seconds":600,"since":""})";
  timespec times[2];
  ::clock_gettime(CLOCK_REALTIME, &times[0]);
  times[0].tv_sec -= static_cast<time_t>(age);
  times[1] = times[0];
  ASSERT_EQ(::utimensat(AT_FDCWD, file.c_str(), times, 0), 0);
}

TEST(Claim, AnotherMachinesClaimCountsUntilItsOwnLeaseEnds) {
  const TemporaryFolder folder;
  from_elsewhere(folder.path() / "cell.1", 500);
  const auto held = CellClaim::take(folder.path(), "cell", /*lease_seconds=*/1);
  EXPECT_EQ(held.claim, nullptr);
  EXPECT_EQ(held.holder, "another machine, process 1");
  EXPECT_EQ(held.lease_seconds, 600);
  from_elsewhere(folder.path() / "cell.1", 700);
  EXPECT_NE(CellClaim::take(folder.path(), "cell", kLease).claim, nullptr);
}

TEST(Claim, WhoSleptTooLongLearnsThatItIsLost) {
  const TemporaryFolder folder;
  const auto first = CellClaim::take(folder.path(), "cell", kLease);
  ASSERT_NE(first.claim, nullptr);
  from_elsewhere(folder.path() / "cell.1", 700);  // as if its thread had not run
  const auto second = CellClaim::take(folder.path(), "cell", kLease);
  ASSERT_NE(second.claim, nullptr);
  EXPECT_TRUE(first.claim->lost());
  EXPECT_FALSE(second.claim->lost());
}

TEST(Claim, IsRenewedWhileItIsHeld) {
  const TemporaryFolder folder;
  const auto taken = CellClaim::take(folder.path(), "cell", /*lease_seconds=*/0.2);
  ASSERT_NE(taken.claim, nullptr);
  const auto before = fs::last_write_time(folder.path() / "cell.1");
  for (int i = 0; i < 100 && fs::last_write_time(folder.path() / "cell.1") == before; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  EXPECT_GT(fs::last_write_time(folder.path() / "cell.1"), before);
}

}  // namespace
}  // namespace glint
