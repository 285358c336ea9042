// How a disk is measured, over one that takes as long as it is told to.
#include "client/cli/disk_check.h"

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace dfs::client::cli {
namespace {

class SetClock final : public Clock {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now; }
  [[nodiscard]] absl::Time WallNow() const override { return now; }
  MonotonicTime now = absl::UnixEpoch();
};

class SlowDisk final : public Disk {
 public:
  explicit SlowDisk(SetClock* clock) : clock_(clock) {}

  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override {
    if (!files.insert(path).second) return absl::AlreadyExistsError(path);
    return std::make_unique<File>(this);
  }
  absl::Status Unlink(const std::string& path) override {
    return files.erase(path) > 0 ? absl::OkStatus() : absl::NotFoundError(path);
  }
  absl::StatusOr<DiskSpace> GetSpace(const std::string&) override { return DiskSpace{room, room}; }
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status Rename(const std::string&, const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status MakeFolder(const std::string&) override { return absl::UnimplementedError(""); }
  absl::Status SyncFolder(const std::string&) override { return absl::UnimplementedError(""); }
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string&) override { return absl::UnimplementedError(""); }

  std::set<std::string> files;
  std::uint64_t room = std::uint64_t{1} << 30;
  int syncs = 0;
  int slow_from = 1'000'000;  // this sync, and all after it, take 50 ms instead of 1
  int fails_at = -1;
  std::uint64_t bytes = 0;

 private:
  class File final : public DiskFile {
   public:
    explicit File(SlowDisk* disk) : disk_(disk) {}
    absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
      EXPECT_EQ(offset, disk_->bytes) << "one behind the other";
      for (const auto& piece : pieces) disk_->bytes += piece.size();
      return absl::OkStatus();
    }
    absl::Status SyncData() override {
      const int number = disk_->syncs++;
      if (number == disk_->fails_at) return absl::DataLossError("the device failed");
      disk_->clock_->now += absl::Milliseconds(number < disk_->slow_from ? 1 : 50);
      return absl::OkStatus();
    }
    absl::Status Read(std::uint64_t, std::span<char>) const override { return absl::UnimplementedError(""); }
    void StartWriteback(std::uint64_t, std::uint64_t) override {}
    absl::Status SetMode(std::uint32_t) override { return absl::UnimplementedError(""); }

   private:
    SlowDisk* const disk_;
  };
  SetClock* const clock_;
};

class DiskCheckTest : public ::testing::Test {
 protected:
  absl::StatusOr<DiskCheckResult> Check() { return CheckDisk(disk_, clock_, "/data/check", options_); }
  SetClock clock_;
  SlowDisk disk_{&clock_};
  DiskCheckOptions options_{.syncs = 200, .stream_bytes = (std::uint64_t{5} << 20) + 7};
};

TEST_F(DiskCheckTest, FastOneIsFastAndIsLeftAsItWas) {
  const auto result = Check();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->syncs.count(), 200U);
  EXPECT_EQ(result->syncs.Quantile(0.99), absl::Milliseconds(1));
  EXPECT_EQ(result->stream_bytes, options_.stream_bytes);
  EXPECT_EQ(result->stream_time, absl::Milliseconds(1)) << "the one sync at its end";
  EXPECT_TRUE(result->is_fast_enough());
  EXPECT_EQ(disk_.bytes, 200 * 4'096 + options_.stream_bytes);
  EXPECT_TRUE(disk_.files.empty());
}

TEST_F(DiskCheckTest, ThreeSlowSyncsOfTwoHundredAreTooMany) {
  disk_.slow_from = 197;
  const auto result = Check();
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->syncs.Quantile(0.99), absl::Milliseconds(50));
  EXPECT_FALSE(result->is_fast_enough());
  disk_.slow_from = 0;
  disk_.bytes = 0;
  disk_.syncs = 0;
  options_.time_max = absl::Seconds(1);
  EXPECT_EQ(Check()->syncs.count(), 20U) << "its time is over";
}

TEST_F(DiskCheckTest, WhatFailsLeavesNoFile) {
  disk_.fails_at = 17;
  EXPECT_EQ(Check().status().code(), absl::StatusCode::kDataLoss);
  EXPECT_TRUE(disk_.files.empty());
  disk_.room = 1'000'000;
  EXPECT_EQ(Check().status().code(), absl::StatusCode::kResourceExhausted);
  disk_.room = std::uint64_t{1} << 30;
  disk_.files.insert("/data/check");
  EXPECT_EQ(Check().status().code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(disk_.files.size(), 1U) << "it is another one's";
}

}  // namespace
}  // namespace dfs::client::cli
