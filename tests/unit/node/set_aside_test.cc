#include "server/node/set_aside.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "common/posix_disk.h"
#include "tests/support/child_process.h"

namespace dfs::node {
namespace {

namespace fs = std::filesystem;

class SetAside : public ::testing::Test {
 protected:
  void SetUp() override {
    fs::create_directories(data_ + "/meta");
    fs::create_directories(data_ + "/chunks/ab");
    Write("meta/CURRENT", "old");
    Write("chunks/ab/cd", "bytes");
    Write("durable_through", "mark");
  }
  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(data_ + "/" + name) << text;
  }
  [[nodiscard]] bool Has(const std::string& name) const { return fs::exists(data_ + "/" + name); }
  void ExpectSetAside() {
    for (const std::string name : {"meta", "chunks", "durable_through"}) {
      EXPECT_FALSE(Has(name)) << name;
    }
    EXPECT_TRUE(Has("set-aside-7/meta/CURRENT"));
    EXPECT_TRUE(Has("set-aside-7/chunks/ab/cd"));
    EXPECT_TRUE(Has("set-aside-7/durable_through"));
    EXPECT_TRUE(Has("set-aside-7/why"));
    EXPECT_TRUE(HasSetAside(PosixDisk(), data_));
  }

  const testing::TemporaryFolder folder_;
  const std::string data_ = folder_.File("data");
};

TEST_F(SetAside, NothingHappensWithoutAnOrder) {
  EXPECT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  EXPECT_TRUE(Has("meta/CURRENT"));
  EXPECT_FALSE(HasSetAside(PosixDisk(), data_));
  EXPECT_TRUE(CarryOutSetAside(PosixDisk(), folder_.File("nowhere")).ok());
}

TEST_F(SetAside, OrderAloneMovesNothing) {
  ASSERT_TRUE(OrderSetAside(PosixDisk(), data_, "7", "a copy").ok());
  EXPECT_TRUE(Has("meta/CURRENT"));
  EXPECT_FALSE(HasSetAside(PosixDisk(), data_));
}

TEST_F(SetAside, EverythingMovesOnce) {
  ASSERT_TRUE(OrderSetAside(PosixDisk(), data_, "7", "a copy").ok());
  ASSERT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  ExpectSetAside();
  fs::create_directories(data_ + "/meta");
  ASSERT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  EXPECT_TRUE(Has("meta")) << "the new data stays";
}

// The process ended when the identity had moved, and nothing else.
TEST_F(SetAside, InterruptedMoveIsFinished) {
  ASSERT_TRUE(OrderSetAside(PosixDisk(), data_, "7", "a copy").ok());
  fs::create_directories(data_ + "/set-aside-7");
  fs::rename(data_ + "/meta", data_ + "/set-aside-7/meta");
  ASSERT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  ExpectSetAside();
}

// What was set aside before stays where it is.
TEST_F(SetAside, SecondTimeInAFolderOfItsOwn) {
  ASSERT_TRUE(OrderSetAside(PosixDisk(), data_, "7", "a copy").ok());
  ASSERT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  fs::create_directories(data_ + "/meta");
  Write("meta/CURRENT", "new");
  ASSERT_TRUE(OrderSetAside(PosixDisk(), data_, "8", "again").ok());
  ASSERT_TRUE(CarryOutSetAside(PosixDisk(), data_).ok());
  ExpectSetAside();
  EXPECT_TRUE(Has("set-aside-8/meta/CURRENT"));
}

}  // namespace
}  // namespace dfs::node
