#include "server/node/disk_probe.h"

#include <gtest/gtest.h>

#include <atomic>

#include "common/posix_disk.h"
#include "tests/support/child_process.h"

namespace dfs::node {
namespace {

// The machine's disk, whose syncs can be held.
class HeldDisk final : public Disk {
 public:
  class File final : public DiskFile {
   public:
    File(std::unique_ptr<DiskFile> file, HeldDisk* disk) : file_(std::move(file)), disk_(disk) {}
    absl::Status Write(std::uint64_t offset, std::span<const std::string_view> pieces) override {
      return file_->Write(offset, pieces);
    }
    absl::Status Read(std::uint64_t offset, std::span<char> out) const override {
      return file_->Read(offset, out);
    }
    void StartWriteback(std::uint64_t, std::uint64_t) override {}
    absl::Status SyncData() override {
      disk_->Wait();
      return disk_->fails ? absl::DataLossError("broken") : file_->SyncData();
    }
    absl::Status SetMode(std::uint32_t mode) override { return file_->SetMode(mode); }

   private:
    const std::unique_ptr<DiskFile> file_;
    HeldDisk* const disk_;
  };

  std::atomic<bool> fails{false};

  void Hold(bool is_held) {
    MutexLock lock(&mutex_);
    is_held_ = is_held;
    changed_.SignalAll();
  }
  absl::StatusOr<std::unique_ptr<DiskFile>> Create(const std::string& path) override {
    auto file = PosixDisk().Create(path);
    if (!file.ok()) return file.status();
    return std::make_unique<File>(*std::move(file), this);
  }
  absl::StatusOr<std::unique_ptr<DiskFile>> Open(const std::string& path) override {
    return PosixDisk().Open(path);
  }
  absl::Status Unlink(const std::string& path) override { return PosixDisk().Unlink(path); }
  absl::Status Rename(const std::string& from, const std::string& to) override {
    return PosixDisk().Rename(from, to);
  }
  absl::Status MakeFolder(const std::string& path) override { return PosixDisk().MakeFolder(path); }
  absl::Status SyncFolder(const std::string& path) override { return PosixDisk().SyncFolder(path); }
  absl::StatusOr<std::vector<DiskEntry>> List(const std::string& path) override {
    return PosixDisk().List(path);
  }
  absl::StatusOr<DiskSpace> GetSpace(const std::string& path) override {
    return PosixDisk().GetSpace(path);
  }

 private:
  void Wait() {
    MutexLock lock(&mutex_);
    while (is_held_) changed_.Wait(&mutex_);
  }

  Mutex mutex_;
  CondVar changed_;
  bool is_held_ ABSL_GUARDED_BY(mutex_) = false;
};

// However busy the machine: only what must come in the end is waited for.
template <class Condition>
void Await(Condition is_met) {
  Event never;
  while (!is_met()) never.WaitFor(absl::Milliseconds(5));
}

class Probe : public ::testing::Test {
 protected:
  const testing::TemporaryFolder folder_;
  HeldDisk disk_;
};

TEST_F(Probe, TheAgeGrowsWhileTheDiskHangsAndFallsWhenItGoesOn) {
  const auto probe = DiskProbe::Start(&disk_, folder_.File("probe"), &SystemClock());
  ASSERT_TRUE(probe.ok()) << probe.status();
  disk_.Hold(true);
  Await([&] { return (*probe)->Age() > 2 * DiskProbe::kEvery; });
  disk_.Hold(false);
  Await([&] { return (*probe)->Age() < DiskProbe::kEvery; });
}

TEST_F(Probe, ADiskThatFailsLooksLikeOneThatHangs) {
  disk_.fails = true;
  const auto probe = DiskProbe::Start(&disk_, folder_.File("probe"), &SystemClock());
  ASSERT_TRUE(probe.ok()) << probe.status();
  Await([&] { return (*probe)->Age() > 2 * DiskProbe::kEvery; });
}

TEST_F(Probe, AFileThatIsThereBeginsAnew) {
  testing::WriteFile(folder_.File("probe"), "what was left behind by the last run");
  ASSERT_TRUE(DiskProbe::Start(&disk_, folder_.File("probe"), &SystemClock()).ok());
}

}  // namespace
}  // namespace dfs::node
