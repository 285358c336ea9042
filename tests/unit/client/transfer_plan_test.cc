#include "client/cli/transfer_plan.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "client/cli/posix_tree.h"
#include "client/posix_byte_stream.h"

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;
using Names = std::map<std::string, std::string>;

PutSource File(const std::string& word) {
  PutSource out;
  out.word = word;
  out.tree.files = {{word, fs::path(word).filename().string(), 1}};
  return out;
}

PutSource Folder(const std::string& word, const std::vector<std::string>& files) {
  PutSource out;
  out.word = word;
  out.is_folder = true;
  for (const auto& file : files) out.tree.files.push_back({word + "/" + file, file, 10});
  return out;
}

Names Planned(const std::vector<PutSource>& sources, const std::string& target, const NameFilter& filter = {}) {
  Names out;
  const auto plan = PlanPut(sources, target, filter);
  EXPECT_TRUE(plan.ok()) << plan.status();
  for (const auto& file : plan->files) out[file.local] = file.remote;
  return out;
}

TEST(PlanPut, NamesFollowFromSourcesAndTarget) {
  EXPECT_EQ(Planned({File("x/a")}, ""), (Names{{"x/a", "a"}}));
  EXPECT_EQ(Planned({File("x/a")}, "b"), (Names{{"x/a", "b"}}));
  EXPECT_EQ(Planned({File("x/a")}, "b/"), (Names{{"x/a", "b/a"}}));
  EXPECT_EQ(Planned({File("a"), File("x/b")}, "t/"), (Names{{"a", "t/a"}, {"x/b", "t/b"}}));
  EXPECT_EQ(Planned({Folder("x/d", {"1", "s/2"})}, ""), (Names{{"x/d/1", "d/1"}, {"x/d/s/2", "d/s/2"}}));
  EXPECT_EQ(Planned({Folder("x/d", {"1"})}, "t"), (Names{{"x/d/1", "t/1"}}));
  EXPECT_EQ(Planned({Folder("x/d", {"1"})}, "t/"), (Names{{"x/d/1", "t/1"}}));
  EXPECT_EQ(Planned({Folder("d", {"1"}), File("a")}, "t/"), (Names{{"d/1", "t/d/1"}, {"a", "t/a"}}));
  EXPECT_EQ(Planned({Folder(".", {"1"})}, ""), (Names{{"./1", "1"}}));
  EXPECT_EQ(Planned({Folder("d/..", {"1"})}, "t"), (Names{{"d/../1", "t/1"}}));
}

TEST(PlanPut, CountsFiltersAndRefusesTwoOfOneName) {
  const auto filter = NameFilter::Make({}, {"*.o"}).value();
  EXPECT_EQ(Planned({Folder("d", {"a.c", "a.o"})}, "t", filter), (Names{{"d/a.c", "t/a.c"}}));
  const auto plan = PlanPut({Folder("d", {"a", "b"})}, "", {});
  EXPECT_EQ(plan->bytes, 20U);
  EXPECT_TRUE(absl::IsInvalidArgument(PlanPut({File("x/a"), File("y/a")}, "t/", {}).status()));
}

TEST(PlanPut, NamesThatNoFileCanHaveAreFailuresOfThoseFiles) {
  const auto plan = PlanPut({Folder("d", {"good", "\xFFwrong", "new\nline", std::string(1100, 'n')})}, "t", {});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->files.size(), 1U);
  EXPECT_EQ(plan->failed.size(), 3U);
  EXPECT_EQ(PlanPut({File("a")}, "../b", {})->failed.size(), 1U);
}

RemoteFile Remote(const std::string& relative) {
  RemoteFile out;
  out.name = "r/" + relative;
  out.relative = relative;
  out.size = 3;
  return out;
}

TEST(PlanGet, NothingLeadsOutOfTheFolder) {
  const std::vector<std::string> wrong = {"..", "../x", "a/../../x", "/etc/x", "a//b", "", ".", "a/./b", "a/", std::string("a\0b", 3)};
  std::vector<RemoteFile> files = {Remote("a/b")};
  for (const auto& relative : wrong) files.push_back(Remote(relative));
  const auto plan = PlanGet(files);
  ASSERT_TRUE(plan.ok());
  ASSERT_EQ(plan->files.size(), 1U);
  EXPECT_EQ(plan->files[0].relative, "a/b");
  EXPECT_EQ(plan->failed.size(), wrong.size());
  EXPECT_EQ(plan->bytes, 3U);
  EXPECT_TRUE(CheckRelative("..a/b..").ok()) << "two dots within a name are only that";
}

TEST(PlanGet, AFileThatIsAlsoAFolderIsAFailure) {
  const auto plan = PlanGet({Remote("a"), Remote("a/b/c"), Remote("a/b-c"), Remote("ab")});
  ASSERT_TRUE(plan.ok());
  EXPECT_EQ(plan->files.size(), 3U);
  ASSERT_EQ(plan->failed.size(), 1U);
  EXPECT_EQ(plan->failed[0].first, "r/a");
  EXPECT_TRUE(absl::IsInvalidArgument(PlanGet({Remote("a"), Remote("a")}).status()));
}

class PosixTreeTest : public ::testing::Test {
 protected:
  PosixTreeTest() {
    std::string pattern = (fs::temp_directory_path() / "dfs_tree_XXXXXX").string();
    root = ::mkdtemp(pattern.data());
  }
  ~PosixTreeTest() override { fs::remove_all(root); }
  void Write(const std::string& path) const {
    fs::create_directories((root / path).parent_path());
    std::ofstream(root / path) << "12345";
  }
  [[nodiscard]] static std::vector<std::string> NamesOf(const LocalTree& tree) {
    std::vector<std::string> out;
    for (const auto& file : tree.files) out.push_back(file.relative);
    return out;
  }
  fs::path root;
};

TEST_F(PosixTreeTest, FilesAreFoundInOrderAndTheRestIsTold) {
  for (const char* path : {"b/2", "b/1", "a", ".hidden", "c/.x.0123456789abcdef.partial"}) Write(path);
  fs::create_directories(root / "empty/within");
  fs::create_symlink("a", root / "link");
  fs::create_symlink("..", root / "b/loop");
  fs::create_symlink("/nowhere", root / "dangling");
  ASSERT_EQ(::mkfifo((root / "pipe").c_str(), 0600), 0);
  using Found = std::vector<std::string>;
  const LocalTree tree = ReadTree(root.string(), false);
  EXPECT_EQ(NamesOf(tree), (Found{".hidden", "a", "b/1", "b/2"}));
  EXPECT_EQ(tree.files[0].size, 5U);
  EXPECT_EQ(tree.skipped.size(), 5U);
  EXPECT_EQ(tree.empty_folders, 1U) << "the one above it has a folder";
  EXPECT_TRUE(tree.failed.empty());
  const LocalTree followed = ReadTree(root.string() + "/", true);
  EXPECT_EQ(NamesOf(followed), (Found{".hidden", "a", "b/1", "b/2", "link"}));
  ASSERT_EQ(followed.failed.size(), 1U) << "the loop";
  EXPECT_TRUE(IsLocalError(followed.failed[0].second));
  EXPECT_EQ(ReadTree((root / "none").string(), false).failed.size(), 1U);
}

TEST_F(PosixTreeTest, FoldersAreMadeAndLinksNotFollowed) {
  const std::string top = (root / "new").string();
  EXPECT_TRUE(MakeFoldersFor(top, "a/b/c", false).ok());
  EXPECT_TRUE(fs::is_directory(root / "new/a/b"));
  fs::create_directories(root / "outside");
  fs::create_directory_symlink(root / "outside", root / "new/link");
  fs::create_symlink(root / "outside/file", root / "new/file");
  EXPECT_TRUE(IsLocalError(MakeFoldersFor(top, "link/x", false)));
  EXPECT_TRUE(IsLocalError(MakeFoldersFor(top, "file", false)));
  EXPECT_TRUE(MakeFoldersFor(top, "link/x", true).ok());
  EXPECT_TRUE(MakeFoldersFor(top, "file", true).ok());
  EXPECT_TRUE(IsLocalError(MakeFoldersFor(top, "a", false))) << "a folder is no file";
  Write("new/plain");
  EXPECT_TRUE(IsLocalError(MakeFoldersFor(top, "plain/x", false)));
  ASSERT_EQ(::mkfifo((root / "new/pipe").c_str(), 0600), 0);
  EXPECT_TRUE(IsLocalError(MakeFoldersFor(top, "pipe", true)));
}

}  // namespace
}  // namespace dfs::client::cli
