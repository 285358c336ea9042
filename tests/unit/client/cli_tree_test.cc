// dfs-cli with trees, patterns, simulation, and going on after an interruption.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <string>

#include "tests/unit/client/cli_fixture.h"

namespace dfs::client {
namespace {

class TreeTest : public CliTest {
 protected:
  TreeTest() {
    for (const char* path : {"tree/a.txt", "tree/b.bin", "tree/sub/c.txt", "tree/sub/deep/d.txt"}) {
      fs::create_directories((folder / path).parent_path());
      WriteFile(folder / path, std::string("content of ") + path);
    }
  }
  [[nodiscard]] std::map<std::string, std::string> FilesBelow(const std::string& name) const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder / name)) {
      if (entry.is_regular_file()) out[fs::relative(entry.path(), folder / name).string()] = ReadFile(entry.path());
    }
    return out;
  }
  [[nodiscard]] int Changes() const {
    int out = 0;
    for (FakeNode* node : {&a, &b}) {
      for (const char* method : {"Put", "Remove", "Move", "Clear"}) out += node->calls(method);
    }
    return out;
  }
};

TEST_F(TreeTest, TreeGoesInAndComesOut) {
  const Result put = Run("put -r tree");
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_NE(put.err.find("stored 4 files"), std::string::npos) << put.err;
  EXPECT_EQ(Run("ls").out, "tree/a.txt\ntree/b.bin\ntree/sub/c.txt\ntree/sub/deep/d.txt\n");
  const Result get = Run("get -r tree copy");
  EXPECT_EQ(get.code, 0) << get.err;
  EXPECT_EQ(FilesBelow("copy"), FilesBelow("tree"));
  EXPECT_NE(get.err.find("read 4 files"), std::string::npos) << get.err;
  EXPECT_EQ(Run("put -r --jobs=1 tree other/place/").code, 0);
  EXPECT_EQ(Run("get -r tree other/place/sub both/").code, 0);
  EXPECT_EQ(ReadFile(folder / "both/tree/a.txt"), "content of tree/a.txt");
  EXPECT_EQ(ReadFile(folder / "both/sub/c.txt"), "content of tree/sub/c.txt");
  EXPECT_EQ(Run("get -r other/place/sub").code, 0);
  EXPECT_EQ(ReadFile(folder / "sub/deep/d.txt"), "content of tree/sub/deep/d.txt");
  const auto json = Run("--json put -r tree x").Lines();
  ASSERT_EQ(json.size(), 4U);
  for (const Json& line : json) EXPECT_EQ(line["status"], "success");
}

TEST_F(TreeTest, SeveralFilesGoBelowATarget) {
  EXPECT_EQ(Run("put tree/*.txt tree/b.bin into/").code, 0);
  EXPECT_EQ(Run("ls").out, "into/a.txt\ninto/b.bin\n");
  EXPECT_EQ(Run("put tree/a.txt into/again/").code, 0);
  EXPECT_EQ(Run("ls into/again").out, "into/again/a.txt\n");
  EXPECT_EQ(Run("put tree/a.txt tree/b.bin target").code, 64);
  EXPECT_EQ(Run("put tree/a.txt - into/").code, 64);
  EXPECT_EQ(Run("put tree").code, 74) << "a folder, without -r";
  EXPECT_EQ(Run("get into/a.txt into/b.bin out/").code, 0);
  EXPECT_EQ(ReadFile(folder / "out/b.bin"), "content of tree/b.bin");
  EXPECT_EQ(Run("get into/a.txt into/b.bin nowhere").code, 64);
}

TEST_F(TreeTest, PatternsAreHeldAgainstTheListing) {
  ASSERT_EQ(Run("put -r tree").code, 0);
  EXPECT_EQ(Run("ls 'tree/*'").out, "tree/a.txt\ntree/b.bin\n");
  EXPECT_EQ(Run("ls 'tree/**/*.txt'").out, "tree/a.txt\ntree/sub/c.txt\ntree/sub/deep/d.txt\n");
  EXPECT_EQ(Run("ls --limit=1 'tree/*'").out, "tree/a.txt\n");
  EXPECT_EQ(Run("ls -r tree/sub").out, "tree/sub/c.txt\ntree/sub/deep/d.txt\n");
  EXPECT_EQ(Run("ls -r tree/su").out, "") << "a folder, not a prefix";
  EXPECT_EQ(Run("ls --exclude=sub tree").out, "tree/a.txt\ntree/b.bin\n");
  EXPECT_EQ(Run("get 'tree/**/*.txt' here").code, 0);
  EXPECT_EQ(FilesBelow("here").size(), 3U);
  EXPECT_EQ(ReadFile(folder / "here/sub/c.txt"), "content of tree/sub/c.txt");
  EXPECT_EQ(Run("get 'none*' here").code, 12);
  EXPECT_EQ(Run("get -r --include='*.bin' tree bins").code, 0);
  EXPECT_EQ(FilesBelow("bins").size(), 1U);
  EXPECT_EQ(Run("remove 'tree/?.txt' 'none*'").code, 2);
  EXPECT_EQ(Run("remove -f 'none*'").code, 0);
  EXPECT_EQ(Run("ls 'tree/*'").out, "tree/b.bin\n");
  EXPECT_EQ(Run("ls 'tree/\\'").code, 0) << "no pattern: a prefix";
}

TEST_F(TreeTest, ANameThatLooksLikeAPatternIsANameFirst) {
  for (const char* name : {"'r[1]'", "r1", "'s*'", "sx"}) ASSERT_EQ(Run("put tree/a.txt " + std::string(name)).code, 0);
  EXPECT_EQ(Run("remove 'r[1]'").code, 0);
  EXPECT_EQ(Run("ls r").out, "r1\n");
  EXPECT_EQ(Run("remove --literal 'r[1]'").code, 12);
  EXPECT_EQ(Run("remove 'r[1]'").code, 0) << "now it is a pattern";
  EXPECT_EQ(Run("ls r").out, "");
  EXPECT_EQ(Run("ls --literal 's*'").out, "s*\n");
}

TEST_F(TreeTest, ANameInBracketsIsThatName) {
  WriteFile(folder / "[x]", "in brackets");
  WriteFile(folder / "x", "plain");
  ASSERT_EQ(Run("put '[x]'").code, 0);
  EXPECT_EQ(Run("ls").out, "[x]\n");
  ASSERT_EQ(Run("put x").code, 0);
  EXPECT_EQ(Run("get --literal '[x]' -").out, "in brackets");
  EXPECT_EQ(Run("remove --literal '[x]'").code, 0);
  EXPECT_EQ(Run("ls").out, "x\n");
  EXPECT_EQ(Run("remove --literal '[x]'").code, 12);
  EXPECT_EQ(Run("remove '[ab]'").code, 12);
  ASSERT_EQ(Run("put x a").code, 0);
  ASSERT_EQ(Run("put x ab").code, 0);
  EXPECT_EQ(Run("remove '[ab]'").code, 0);
  EXPECT_EQ(Run("ls").out, "ab\nx\n") << "the pattern";
  EXPECT_EQ(Run("remove --literal -- '[a,b]' '[]'").code, 12);
  EXPECT_EQ(Run("ls").out, "ab\nx\n");
}

TEST_F(TreeTest, APatternThatEndsWithASlashIsOfFolders) {
  for (const char* name : {"tmp1", "tmp2/a", "tmp2/b/c", "other/x"}) ASSERT_EQ(Run(std::string("put tree/a.txt ") + name).code, 0);
  const Result refused = Run("remove 'tmp*/'");
  EXPECT_EQ(refused.code, 64);
  EXPECT_NE(refused.err.find("-r"), std::string::npos) << refused.err;
  EXPECT_EQ(Run("ls 'tmp*/'").code, 64);
  EXPECT_EQ(Run("ls -r 'tmp*/'").out, "tmp2/a\ntmp2/b/c\n");
  EXPECT_EQ(Run("get -r 'tmp*/' got").code, 0);
  EXPECT_EQ(FilesBelow("got").size(), 2U);
  EXPECT_EQ(Run("remove -r 'tmp*/'").code, 0);
  EXPECT_EQ(Run("ls").out, "other/x\ntmp1\n");
}

TEST_F(TreeTest, ABackslashTakesTheMeaningAway) {
  for (const char* name : {"'a*'", "ab", "'back\\slash'"}) ASSERT_EQ(Run(std::string("put tree/a.txt ") + name).code, 0);
  EXPECT_EQ(Run("get 'a\\*' copy").code, 0);
  EXPECT_EQ(Run("ls 'a\\*'").out, "a*\n");
  EXPECT_EQ(Run("remove --literal 'a\\*'").code, 12);
  EXPECT_EQ(Run("remove -n 'a\\*'").code, 0);
  EXPECT_EQ(Run("remove 'a\\*'").code, 0);
  EXPECT_EQ(Run("get 'back\\slash' copy").code, 0) << "no wildcard: the name as it stands";
  EXPECT_EQ(Run("ls").out, "ab\nback\\slash\n");
}

TEST_F(TreeTest, RemoveOfAFolderIsThatOfNothingElse) {
  ASSERT_EQ(Run("put -r tree").code, 0);
  ASSERT_EQ(Run("put tree/a.txt tree-2/a.txt").code, 0);
  EXPECT_EQ(Run("remove -r ''").code, 64) << "all is for clear";
  EXPECT_EQ(Run("remove -r /").code, 64);
  EXPECT_EQ(Run("remove -r --max-delete=3 tree").code, 14);
  EXPECT_EQ(Run("remove -r --if-version=3 tree").code, 64);
  EXPECT_EQ(Run("--json ls tree/").Lines().size(), 4U);
  const Result removed = Run("remove -r --exclude=deep tree/");
  EXPECT_EQ(removed.code, 0);
  EXPECT_NE(removed.err.find("removed 3 files"), std::string::npos) << removed.err;
  EXPECT_EQ(Run("ls").out, "tree-2/a.txt\ntree/sub/deep/d.txt\n");
  EXPECT_EQ(Run("remove -r none").code, 12);
  a.Inject("Remove", {Fault::kReplaceBefore});
  EXPECT_EQ(Run("remove -r tree-2").code, 14) << "it is not what was listed any more";
  EXPECT_EQ(Run("stat tree-2/a.txt").code, 0);
}

TEST_F(TreeTest, PartlyDoneSaysWhatFailed) {
  fs::create_symlink("a.txt", folder / "tree/link");
  fs::create_directories(folder / "tree/empty");
  WriteFile(folder / "tree/bad\nname", "x");
  WriteFile(folder / "tree/\xFF", "x");
  const Result put = Run("put -r --jobs=1 tree");
  EXPECT_EQ(put.code, 2);
  EXPECT_NE(put.err.find("bad\nname: its name has control characters"), std::string::npos) << put.err;
  EXPECT_NE(put.err.find("stored 4 files"), std::string::npos) << put.err;
  EXPECT_NE(put.err.find("2 failed"), std::string::npos) << put.err;
  EXPECT_NE(put.err.find("skipped tree/link: a symbolic link"), std::string::npos) << put.err;
  EXPECT_NE(put.err.find("1 empty folders are not kept"), std::string::npos) << put.err;
  EXPECT_EQ(Run("put -r -L --include=link tree links").code, 0);
  EXPECT_EQ(Run("get links/link -").out, "content of tree/a.txt");
  const auto json = Run("--json put -r tree").Lines();
  int errors = 0;
  for (const Json& line : json) errors += line["status"] == "error" ? 1 : 0;
  EXPECT_EQ(errors, 2);
  EXPECT_EQ(json.size(), 6U);
}

TEST_F(TreeTest, NamesOfTheClusterLeadNowhereElse) {
  {
    MutexLock lock(&state->mutex);
    for (const char* name : {"evil/../../escaped", "evil//etc/x", "evil/..", "evil/good"}) {
      auto& file = state->files[name];
      file.info.set_name(name);
      file.info.set_version(++state->version);
    }
  }
  fs::create_directories(folder / "in/out");
  fs::create_directories(folder / "elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "in/out/way");
  ASSERT_EQ(Run("put tree/a.txt evil/way/x").code, 0);
  const Result get = Run("get -r evil in/out");
  EXPECT_EQ(get.code, 2) << get.err;
  EXPECT_NE(get.err.find("4 failed"), std::string::npos) << get.err;
  EXPECT_TRUE(fs::exists(folder / "in/out/good"));
  EXPECT_FALSE(fs::exists(folder / "escaped"));
  EXPECT_FALSE(fs::exists(folder / "in/escaped"));
  EXPECT_TRUE(fs::is_empty(folder / "elsewhere"));
  EXPECT_EQ(Run("get -r evil/way in/out/way").code, 0);
  EXPECT_TRUE(fs::exists(folder / "elsewhere/x")) << "a folder that was named is not what the cluster says";
}

TEST_F(TreeTest, SimulationSaysAllAndChangesNothing) {
  ASSERT_EQ(Run("put -r tree").code, 0);
  WriteFile(folder / "new", "12345");
  const int changes = Changes();
  const auto simulated = [&](const std::string& words, const std::string& line, int code = 0) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, code) << words << result.err;
    EXPECT_NE(result.out.find("SIMULATION: would " + line), std::string::npos) << words << ": " << result.out;
    EXPECT_NE(result.err.find("nothing was changed"), std::string::npos) << words;
  };
  simulated("put -n new", "put new -> new  5 bytes\n");
  simulated("put -n new tree/a.txt", "put new -> tree/a.txt  5 bytes, in place of version");
  simulated("put -rn tree other", "put tree/sub/deep/d.txt -> other/sub/deep/d.txt  30 bytes");
  simulated("put -n new none into/", "put new -> into/new", 2);
  simulated("get -n tree/a.txt out", "get tree/a.txt -> out  21 bytes");
  simulated("get -r -n tree out", "get tree/sub/c.txt -> out/sub/c.txt");
  simulated("remove -n tree/a.txt", "remove tree/a.txt  version");
  simulated("remove -n tree/a.txt none", "remove tree/a.txt", 2);
  simulated("remove -r -n tree", "remove tree/sub/deep/d.txt");
  simulated("mv -n tree/a.txt tree/b.bin", "mv tree/a.txt -> tree/b.bin  21 bytes, none of them moved, in place of version");
  simulated("clear -n tree", "clear \"tree\": 4 files, 97 bytes");
  simulated("drain -n a", "drain a (id 1, alive, holds 4 chunks, 97 bytes)");
  simulated("leave -n 1", "leave a");
  simulated("forget -n a", "forget a");
  simulated("replace --dry-run a", "replace a");
  simulated("bench -n --count=3 --size=1K", "bench put 3 files of 1024 bytes");
  EXPECT_EQ(Run("remove -n none").code, 12);
  EXPECT_EQ(Run("mv -n none x").code, 12);
  EXPECT_EQ(Run("mv -n --if-absent tree/a.txt tree/b.bin").code, 13);
  EXPECT_EQ(Run("put -n --if-absent new tree/a.txt").code, 13);
  EXPECT_EQ(Run("put -n --if-version=99 new tree/a.txt").code, 14);
  EXPECT_EQ(Run("undelete -n tree/a.txt").code, 13);
  EXPECT_EQ(Run("drain -n nobody").code, 12);
  const auto json = Run("--json put -n new").Lines();
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["dry_run"], true);
  EXPECT_EQ(json[0]["action"], "put");
  EXPECT_EQ(Changes(), changes);
  EXPECT_FALSE(fs::exists(folder / "out"));
}

TEST_F(TreeTest, TrashIsListedAndLookedUp) {
  EXPECT_EQ(Run("ls --trash").out, "");
  ASSERT_EQ(Run("put -r --jobs=1 tree").code, 0);
  ASSERT_EQ(Run("remove tree/a.txt tree/sub/c.txt").code, 0);
  EXPECT_EQ(Run("ls --trash").out,
            "21  1  2025-10-09T08:53:20Z  2025-10-10T08:53:20Z  tree/a.txt\n"
            "25  3  2025-10-09T08:53:20Z  2025-10-10T08:53:20Z  tree/sub/c.txt\n");
  EXPECT_EQ(Run("ls --trash -h --limit=1 'tree/**/*.txt'").out, "21  1  2025-10-09T08:53:20Z  2025-10-10T08:53:20Z  tree/a.txt\n");
  const auto json = Run("--json ls --trash tree/s").Lines();
  ASSERT_EQ(json.size(), 1U);
  EXPECT_EQ(json[0]["name"], "tree/sub/c.txt");
  EXPECT_EQ(json[0]["removed_at_us"], 1'760'000'000'000'000);
  EXPECT_EQ(json[0]["purge_at"], "2025-10-10T08:53:20Z");
  EXPECT_EQ(Run("ls --trash --versions").code, 64);
  const Result simulated = Run("undelete -n tree/a.txt");
  EXPECT_EQ(simulated.code, 0);
  EXPECT_NE(simulated.out.find("take back version 1, 21 bytes"), std::string::npos) << simulated.out;
  EXPECT_EQ(Run("undelete -n --version=9 tree/a.txt").code, 12);
  EXPECT_EQ(Run("undelete -n tree/a").code, 12) << "of another name";
}

TEST_F(TreeTest, WhatIsThereIsNotMovedAgain) {
  ASSERT_EQ(Run("put -r tree").code, 0);
  const int changes = Changes();
  WriteFile(folder / "tree/a.txt", "other, of length 21 !");
  const Result put = Run("put -r --resume tree");
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_NE(put.err.find("stored 1 files"), std::string::npos) << put.err;
  EXPECT_NE(put.err.find("3 were there already"), std::string::npos) << put.err;
  EXPECT_EQ(Changes(), changes + 1);
  EXPECT_EQ(Run("get tree/a.txt -").out, "other, of length 21 !");
  ASSERT_EQ(Run("get -r tree copy").code, 0);
  WriteFile(folder / "copy/b.bin", std::string(ReadFile(folder / "copy/b.bin").size(), '?'));
  const Result get = Run("get -r tree copy");
  EXPECT_NE(get.err.find("read 1 files"), std::string::npos) << get.err;
  EXPECT_EQ(FilesBelow("copy"), FilesBelow("tree"));
  EXPECT_NE(Run("get -r --no-resume tree copy").err.find("read 4 files"), std::string::npos);
}

TEST_F(TreeTest, GetGoesOnWhereAKilledOneStopped) {
  std::string bytes(24 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 5 + (i >> 12));
  WriteFile(folder / "large", bytes);
  ASSERT_EQ(Run("put large r/large").code, 0);
  a.Inject("Get", {Fault::kHangMidway});
  // A signal that nobody can handle, once half of the file is there.
  // Ends by a signal what is half done.
  WriteFile(folder / "script", "export DFS_ENDPOINTS=" + a.address() + "," + b.address() +
                                  "\nsignal=$1; shift\n" DFS_CLI_PATH
                                  " \"$@\" & child=$!\n"
                                  "until [ $(find . -name '.*.v*.partial' -size +9M | wc -l) = 1 ]; do sleep 0.02; done\n"
                                  "kill -$signal $child; wait $child\n");
  const Result killed = Run("version >/dev/null && sh ./script KILL get r/large copy");
  EXPECT_EQ(killed.code, 137);
  EXPECT_FALSE(fs::exists(folder / "copy"));
  EXPECT_EQ(PartialFiles(), 1);
  const std::uint64_t before = a.bytes_sent() + b.bytes_sent();
  const auto json = Run("--json get r/large copy").Lines();
  ASSERT_EQ(json.size(), 1U);
  const auto from = json[0]["resumed_from"].get<std::uint64_t>();
  EXPECT_GE(from, std::uint64_t{9} << 20);
  EXPECT_EQ(a.bytes_sent() + b.bytes_sent() - before, bytes.size() - from);
  EXPECT_TRUE(ReadFile(folder / "copy") == bytes);
  EXPECT_EQ(PartialFiles(), 0);

  // Killed after its last byte, and before the file had its name.
  a.Inject("Get", {Fault::kHangMidway});
  ASSERT_EQ(Run("version >/dev/null && rm copy && sh ./script KILL get r/large copy").code, 137);
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().string().ends_with(".partial")) WriteFile(entry.path(), bytes);
  }
  EXPECT_EQ(Run("--json get r/large copy").Lines().at(0)["resumed_from"], bytes.size());
  EXPECT_TRUE(ReadFile(folder / "copy") == bytes);

  // The version changes meanwhile: what is left is of no use.
  a.Inject("Get", {Fault::kHangMidway});
  const Result interrupted = Run("version >/dev/null && sh ./script INT get -r r copies");
  EXPECT_EQ(interrupted.code, 130);
  EXPECT_FALSE(fs::exists(folder / "copies/large"));
  bytes[7] = 'x';
  WriteFile(folder / "large", bytes);
  ASSERT_EQ(Run("put large r/large").code, 0);
  EXPECT_EQ(Run("get -r r copies").code, 0);
  EXPECT_TRUE(ReadFile(folder / "copies/large") == bytes);
  EXPECT_EQ(FilesBelow("copies").size(), 1U) << "nothing is left behind";
}

// A put of which an earlier run does not know whether it happened.
class UnknownPut : public TreeTest {
 protected:
  UnknownPut() {
    std::string bytes(9 << 20, '\0');
    for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 7 + (i >> 11));
    WriteFile(folder / "large", bytes);
    a.Inject("Put", {Fault::kBreakAfter});
    for (FakeNode* node : {&a, &b}) {
      node->Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
      node->Inject("Settle", std::vector<Fault>(100, Fault::kNoQuorum));
    }
    EXPECT_EQ(Put("--timeout=1s").code, 16);
    for (FakeNode* node : {&a, &b}) node->ClearFaults();
  }
  Result Put(const std::string& flags = "") const {
    return Run("put --resume large " + flags, "XDG_STATE_HOME=" + (folder / "state").string());
  }
  std::uint64_t Versions() const {
    MutexLock lock(&state->mutex);
    return state->version;
  }
};

TEST_F(UnknownPut, ThatHappenedIsFound) {
  const Result put = Put();
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_EQ(Versions(), 1U);
  EXPECT_TRUE(fs::is_empty(folder / "state/dfs/puts"));
}

TEST_F(UnknownPut, ThatHappenedIsFoundThoughItNeedsToBeAbsent) {
  ASSERT_EQ(Run("remove large").code, 0);
  a.Inject("Put", {Fault::kBreakAfter});
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
    node->Inject("Settle", std::vector<Fault>(100, Fault::kNoQuorum));
  }
  EXPECT_EQ(Put("--timeout=1s --if-absent").code, 16);
  for (FakeNode* node : {&a, &b}) node->ClearFaults();
  EXPECT_EQ(Put("--if-absent").code, 0) << "it is this put that made it";
}

// What had happened is no success when it has been undone since.
TEST_F(UnknownPut, ThatWasRemovedSinceIsStoredAnew) {
  ASSERT_EQ(Run("remove large").code, 0);
  const Result put = Put();
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_NE(put.err.find("removed or replaced since"), std::string::npos) << put.err;
  EXPECT_EQ(Run("stat large").code, 0);
  EXPECT_TRUE(fs::is_empty(folder / "state/dfs/puts"));
}

TEST_F(UnknownPut, ThatWasReplacedSinceIsStoredAnew) {
  ASSERT_EQ(Run("put tree/a.txt large").code, 0);
  EXPECT_EQ(Put().code, 0);
  EXPECT_EQ(Run("get large copy").code, 0);
  EXPECT_TRUE(ReadFile(folder / "copy") == ReadFile(folder / "large"));
}

TEST_F(UnknownPut, OfAForgottenSessionIsStoredAnewUnlessItIsThere) {
  a.Inject("Settle", {Fault::kSessionExpired});
  const Result put = Put();
  EXPECT_EQ(put.code, 0) << put.err;
  EXPECT_NE(put.err.find("too long ago"), std::string::npos) << put.err;
  EXPECT_NE(put.out.find("was there already"), std::string::npos) << put.out;
  EXPECT_EQ(Versions(), 1U);
  EXPECT_TRUE(fs::is_empty(folder / "state/dfs/puts"));
}

TEST_F(UnknownPut, WithoutAPlaceToRememberSaysSo) {
  const Result put = Run("put --resume large other", "XDG_STATE_HOME=/proc/none");
  EXPECT_EQ(put.code, 0);
  EXPECT_NE(put.err.find("set HOME or XDG_STATE_HOME"), std::string::npos) << put.err;
}

}  // namespace
}  // namespace dfs::client
