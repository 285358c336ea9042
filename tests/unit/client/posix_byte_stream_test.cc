#include "client/posix_byte_stream.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "client/retry_policy.h"

namespace dfs::client {
namespace {

namespace fs = std::filesystem;

class PosixByteStreamTest : public ::testing::Test {
 protected:
  PosixByteStreamTest() {
    std::string pattern = (fs::temp_directory_path() / "dfs_bytes_XXXXXX").string();
    folder = ::mkdtemp(pattern.data());
  }
  ~PosixByteStreamTest() override { fs::remove_all(folder); }
  [[nodiscard]] std::string Path(const std::string& name) const { return (folder / name).string(); }
  void WriteFile(const std::string& name, const std::string& bytes) const {
    std::ofstream(Path(name), std::ios::binary) << bytes;
  }
  [[nodiscard]] std::string ReadFile(const std::string& name) const {
    std::ifstream in(Path(name), std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
  }
  [[nodiscard]] std::size_t Entries() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }
  static std::string ReadAll(ByteSource& source, std::size_t piece) {
    std::string out;
    for (;;) {
      const auto bytes = source.Read(piece);
      EXPECT_TRUE(bytes.ok()) << bytes.status();
      if (!bytes.ok() || bytes->empty()) return out;
      EXPECT_LE(bytes->size(), piece);
      out += bytes->ToString();
    }
  }
  fs::path folder;
};

TEST_F(PosixByteStreamTest, FileIsReadInPiecesAndAgain) {
  const std::string bytes(10'000, 'x');
  WriteFile("f", bytes + "end");
  const auto source = OpenFileSource(Path("f"));
  ASSERT_TRUE(source.ok());
  EXPECT_EQ((*source)->size(), 10'003U);
  EXPECT_EQ(ReadAll(**source, 4096), bytes + "end");
  EXPECT_TRUE((*source)->Rewind());
  EXPECT_EQ(ReadAll(**source, 1 << 20), bytes + "end");
}

TEST_F(PosixByteStreamTest, FileThatBecameShorterIsAnError) {
  WriteFile("f", std::string(10'000, 'x'));
  const auto source = OpenFileSource(Path("f"));
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Read(4096).ok());
  fs::resize_file(Path("f"), 5'000);
  const auto rest = (*source)->Read(8192);
  EXPECT_TRUE(IsLocalError(rest.status())) << rest.status();
}

// The length is the same: the time of its modification tells.
TEST_F(PosixByteStreamTest, FileThatWasWrittenMeanwhileIsAnError) {
  WriteFile("f", std::string(10'000, 'x'));
  fs::last_write_time(Path("f"), fs::file_time_type::clock::now() - std::chrono::hours(1));
  const auto source = OpenFileSource(Path("f"));
  ASSERT_TRUE(source.ok());
  ASSERT_TRUE((*source)->Read(4096).ok());
  WriteFile("f", std::string(10'000, 'y'));
  EXPECT_TRUE(IsLocalError((*source)->Read(8192).status()));
  WriteFile("empty", "");
  const auto empty = OpenFileSource(Path("empty"));
  ASSERT_TRUE(empty.ok());
  WriteFile("empty", "grown");
  EXPECT_TRUE(IsLocalError((*empty)->Read(4096).status())) << "a put of it would store nothing";
}

TEST_F(PosixByteStreamTest, WhatCannotBeReadIsALocalError) {
  EXPECT_TRUE(IsLocalError(OpenFileSource(Path("none")).status()));
  EXPECT_TRUE(IsLocalError(OpenFileSource(folder.string()).status()));
  EXPECT_FALSE(IsLocalError(absl::NotFoundError("of the cluster")));
}

TEST_F(PosixByteStreamTest, PipeCanBeRepeatedWhileItsBytesAreKept) {
  int ends[2];
  ASSERT_EQ(::pipe(ends), 0);
  ASSERT_EQ(::write(ends[1], "0123456789", 10), 10);
  ::close(ends[1]);
  const auto source = MakeDescriptorSource(ends[0], "pipe");
  EXPECT_FALSE(source->size().has_value());
  EXPECT_EQ(source->Read(4)->ToString(), "0123");
  EXPECT_TRUE(source->Rewind());
  EXPECT_EQ(ReadAll(*source, 3), "0123456789");
  EXPECT_TRUE(source->Rewind());
  EXPECT_EQ(ReadAll(*source, 100), "0123456789");
  ::close(ends[0]);
}

TEST_F(PosixByteStreamTest, LongStreamCannotBeRepeated) {
  WriteFile("f", std::string(kReplayBytesMax + 100, 'x'));
  const int file = ::open(Path("f").c_str(), O_RDONLY);
  const auto source = MakeDescriptorSource(file, "stream");
  ASSERT_TRUE(source->Read(kReplayBytesMax).ok());
  EXPECT_TRUE(source->Rewind());
  EXPECT_EQ(ReadAll(*source, 1 << 20).size(), kReplayBytesMax + 100);
  EXPECT_FALSE(source->Rewind());
  ::close(file);
}

TEST_F(PosixByteStreamTest, FileAppearsWholeOrNotAtAll) {
  WriteFile("f", "old");
  {
    const auto sink = FileSink::Create(Path("f"));
    ASSERT_TRUE(sink.ok());
    ASSERT_TRUE((*sink)->Write(Slices::CopyOf("half")).ok());
    EXPECT_EQ(ReadFile("f"), "old");
    EXPECT_EQ(Entries(), 2U);
  }
  EXPECT_EQ(ReadFile("f"), "old");
  EXPECT_EQ(Entries(), 1U);
  {
    const auto sink = FileSink::Create(Path("f"));
    ASSERT_TRUE(sink.ok());
    ASSERT_TRUE((*sink)->Write(Slices::CopyOf("wrong beginning")).ok());
    ASSERT_TRUE((*sink)->Rewind());
    Slices many;
    for (int i = 0; i < 200; ++i) many.Append(Slices::CopyOf(std::to_string(i) + ","));
    ASSERT_TRUE((*sink)->Write(many).ok());
    ASSERT_TRUE((*sink)->Commit().ok());
    EXPECT_EQ(ReadFile("f"), many.ToString());
  }
  EXPECT_EQ(Entries(), 1U);
}

TEST_F(PosixByteStreamTest, SymbolicLinkSurvives) {
  WriteFile("real", "old");
  fs::create_symlink(Path("real"), Path("link"));
  const auto sink = FileSink::Create(Path("link"));
  ASSERT_TRUE(sink.ok());
  ASSERT_TRUE((*sink)->Write(Slices::CopyOf("new")).ok());
  ASSERT_TRUE((*sink)->Commit().ok());
  EXPECT_TRUE(fs::is_symlink(Path("link")));
  EXPECT_EQ(ReadFile("real"), "new");
}

TEST(PartialPath, IsHiddenBesideTheFileAndNeverTooLong) {
  EXPECT_EQ(PartialPath("f", "t"), ".f.t.partial");
  EXPECT_EQ(PartialPath("/a/b/f.txt", "t"), "/a/b/.f.txt.t.partial");
  const std::string longest(255, 'n');
  const std::string partial = PartialPath("/a/" + longest, "0123456789abcdef");
  EXPECT_EQ(partial.size(), 3U + 255U);
  EXPECT_TRUE(partial.ends_with(".0123456789abcdef.partial"));
}

}  // namespace
}  // namespace dfs::client
