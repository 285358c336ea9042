#include "client/posix_partial_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

namespace dfs::client {
namespace {

namespace fs = std::filesystem;

class PartialFileTest : public ::testing::Test {
 protected:
  PartialFileTest() {
    std::string pattern = (fs::temp_directory_path() / "dfs_partial_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
    content.resize(kResumableBytesMin + 12'345);
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i * 7 + (i >> 9));
    info = InfoOf(content, 17);
  }
  ~PartialFileTest() override { fs::remove_all(folder); }
  static v1::FileInfo InfoOf(const std::string& bytes, std::uint64_t version) {
    v1::FileInfo out;
    out.set_version(version);
    out.set_size(bytes.size());
    out.set_crc32c(Crc32c(bytes.data(), bytes.size()));
    const Hash128 hash = Xxh3(bytes.data(), bytes.size());
    for (const std::uint64_t half : {hash.high, hash.low}) {
      for (int shift = 56; shift >= 0; shift -= 8) out.mutable_content_hash()->push_back(static_cast<char>(half >> shift));
    }
    return out;
  }
  [[nodiscard]] std::string Path(const std::string& name) const { return (folder / name).string(); }
  [[nodiscard]] static std::string ReadFile(const std::string& path) {
    std::ifstream in(path, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  [[nodiscard]] std::set<std::string> Entries() const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder)) out.insert(entry.path().filename().string());
    return out;
  }
  // As a get that is interrupted after so many bytes.
  void Interrupt(const std::string& name, std::size_t bytes) const {
    PartialFile file(Path(name), true);
    ASSERT_TRUE(file.Begin(info).ok());
    ASSERT_TRUE(file.Write(Slices::CopyOf(content.substr(0, bytes))).ok());
  }
  void Finish(PartialFile& file, std::size_t from) const {
    ASSERT_TRUE(file.Begin(info).ok());
    ASSERT_TRUE(file.Write(Slices::CopyOf(content.substr(from))).ok());
  }

  static constexpr std::size_t kHalf = 4'000'000;
  fs::path folder;
  std::string content;
  v1::FileInfo info;
};

TEST_F(PartialFileTest, GoesOnWhereAnEarlierOneStopped) {
  Interrupt("f", kHalf);
  EXPECT_EQ(Entries().size(), 1U);
  EXPECT_FALSE(fs::exists(Path("f")));
  ASSERT_TRUE(PartialFile::HasLeft(Path("f")));
  EXPECT_FALSE(PartialFile::HasLeft(Path("g")));
  PartialFile file(Path("f"), true);
  ASSERT_EQ(file.TakeOver(info), kHalf);
  Finish(file, kHalf);
  ASSERT_TRUE(file.Commit().ok());
  EXPECT_TRUE(ReadFile(Path("f")) == content);
  EXPECT_EQ(Entries(), std::set<std::string>{"f"});
}

TEST_F(PartialFileTest, WhatIsOfAnotherVersionIsRemoved) {
  Interrupt("f", kHalf);
  std::ofstream(Path(".f.mine.partial")) << "a user's";
  std::ofstream(Path(".f.x.v17-0123456789abcdef.partial")) << "of the file f.x";
  PartialFile file(Path("f"), true);
  EXPECT_EQ(file.TakeOver(InfoOf(content, 18)), 0U);
  EXPECT_EQ(Entries(), (std::set<std::string>{".f.mine.partial", ".f.x.v17-0123456789abcdef.partial"}));
  EXPECT_TRUE(IsPartialName(".f.x.v17-0123456789abcdef.partial"));
  EXPECT_TRUE(IsPartialName(".f.0123456789abcdef.partial"));
  EXPECT_FALSE(IsPartialName(".f.mine.partial"));
  EXPECT_FALSE(IsPartialName("f.v17-0123456789abcdef.partial"));
  EXPECT_FALSE(IsPartialName(".v17-0123456789abcdef.partial"));
}

TEST_F(PartialFileTest, DamageIsFoundInTheEndAndNothingAppears) {
  Interrupt("f", kHalf);
  {
    std::fstream damage(Path(*Entries().begin()), std::ios::in | std::ios::out | std::ios::binary);
    damage.seekp(1'000'000);
    damage.put('!');
  }
  PartialFile file(Path("f"), true);
  ASSERT_EQ(file.TakeOver(info), kHalf);
  Finish(file, kHalf);
  EXPECT_TRUE(absl::IsDataLoss(file.Commit()));
  EXPECT_TRUE(Entries().empty());
  EXPECT_EQ(file.TakeOver(info), 0U);
}

TEST_F(PartialFileTest, ShortOnesAndShortBeginningsLeaveNothing) {
  Interrupt("f", 500'000);
  EXPECT_TRUE(Entries().empty());
  {
    PartialFile file(Path("short"), true);
    ASSERT_TRUE(file.Begin(InfoOf("12345", 1)).ok());
    ASSERT_TRUE(file.Write(Slices::CopyOf("123")).ok());
    EXPECT_FALSE(file.path_to_remove().empty());
  }
  {
    PartialFile file(Path("told not to"), false);
    Finish(file, 0);
    EXPECT_FALSE(file.path_to_remove().empty());
  }
  EXPECT_TRUE(Entries().empty());
}

TEST_F(PartialFileTest, WhatAnotherProcessWritesIsLeftAlone) {
  Interrupt("f", kHalf);
  const std::string left = Path(*Entries().begin());
  const int other = ::open(left.c_str(), O_RDWR);
  ASSERT_EQ(::flock(other, LOCK_EX | LOCK_NB), 0);
  {
    PartialFile file(Path("f"), true);
    EXPECT_EQ(file.TakeOver(info), 0U);
    Finish(file, 0);
    EXPECT_EQ(Entries().size(), 2U) << "one of its own";
    ASSERT_TRUE(file.Commit().ok());
  }
  EXPECT_EQ(fs::file_size(left), kHalf);
  ::close(other);
  PartialFile file(Path("f"), true);
  EXPECT_EQ(file.TakeOver(info), kHalf) << "nobody has it any more";
}

TEST_F(PartialFileTest, ANewBeginningAfterRewindIsOfTheVersionThatIsThen) {
  PartialFile file(Path("f"), true);
  ASSERT_TRUE(file.Begin(info).ok());
  ASSERT_TRUE(file.Write(Slices::CopyOf(content.substr(0, kHalf))).ok());
  ASSERT_TRUE(file.Rewind());
  ASSERT_TRUE(file.Begin(InfoOf("other", 18)).ok());
  ASSERT_TRUE(file.Write(Slices::CopyOf("other")).ok());
  ASSERT_TRUE(file.Commit().ok());
  EXPECT_EQ(ReadFile(Path("f")), "other");
  EXPECT_EQ(Entries(), std::set<std::string>{"f"});
}

TEST_F(PartialFileTest, LongNamesAreCutAndFoundAgain) {
  const std::string name(250, 'n');
  Interrupt(name, kHalf);
  EXPECT_TRUE(PartialFile::HasLeft(Path(name)));
  PartialFile file(Path(name), true);
  EXPECT_EQ(file.TakeOver(info), kHalf);
}

}  // namespace
}  // namespace dfs::client
