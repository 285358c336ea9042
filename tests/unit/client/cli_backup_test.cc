// dfs-cli backup: create, verify, ls, restore; what is damaged, interrupted, in the way.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/file.h>
#include <unistd.h>

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "common/checksum.h"
#include "tests/unit/client/cli_fixture.h"

namespace dfs::client {
namespace {

using ::testing::HasSubstr;

class BackupTest : public CliTest {
 protected:
  void Store(const std::string& name, const std::string& bytes, const std::string& bucket = "default") const {
    MutexLock lock(&state->mutex);
    FakeState::File& file = state->files[FileKeyOf(bucket, name)];
    file.info.set_name(name);
    file.info.set_bucket(bucket);
    file.info.set_size(bytes.size());
    file.info.set_version(++state->version);
    file.info.set_crc32c(Crc32c(bytes.data(), bytes.size()));
    const Hash128 hash = Xxh3(bytes.data(), bytes.size());
    std::string text;
    for (const std::uint64_t half : {hash.high, hash.low}) {
      for (int shift = 56; shift >= 0; shift -= 8) text.push_back(static_cast<char>(half >> shift));
    }
    file.info.set_content_hash(text);
    file.bytes = bytes;
  }
  void MakeBucket(const std::string& name, v1::BucketMode mode = v1::QUORUM) const {
    MutexLock lock(&state->mutex);
    state->buckets[name].set_mode(mode);
  }
  void Forget() const {
    MutexLock lock(&state->mutex);
    state->files.clear();
  }
  [[nodiscard]] std::map<std::string, std::string> Stored(const std::string& bucket = "default") const {
    MutexLock lock(&state->mutex);
    std::map<std::string, std::string> out;
    for (const auto& [key, file] : state->files) {
      if (key == FileKeyOf(bucket, file.info.name())) out[file.info.name()] = file.bytes;
    }
    return out;
  }
  [[nodiscard]] int Gets() const { return a.calls("Get") + b.calls("Get"); }
  [[nodiscard]] int Puts() const { return a.calls("Put") + b.calls("Put"); }
  [[nodiscard]] std::vector<fs::path> Objects() const {
    std::vector<fs::path> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder / "nas/objects")) {
      if (entry.is_regular_file()) out.push_back(entry.path());
    }
    return out;
  }
  // The object of a file, by its content.
  [[nodiscard]] fs::path ObjectWith(const std::string& bytes) const {
    for (const auto& path : Objects()) {
      if (ReadFile(path) == bytes) return path;
    }
    ADD_FAILURE() << "no object with " << bytes;
    return {};
  }
  [[nodiscard]] fs::path Manifest() const { return folder / "nas/manifest.jsonl"; }
};

TEST_F(BackupTest, WhatGoesInComesOutWhateverTheNames) {
  std::map<std::string, std::string> files = {{"a", "one"},          {"a/b c/d", "two"},     {"line\nbreak", "three"},
                                              {"../up", "four"},     {"..", "five"},         {"x.partial", "six"},
                                              {".a.v1-0123456789abcdef.partial", "seven"},   {"empty", ""},
                                              {std::string(1'024, 'n'), "eight"},            {"\xF0\x9F\x98\x80", "nine"},
                                              {"tab\tand \x01", "ten"}, {"large", std::string(9 << 20, 'l')}};
  for (const auto& [name, bytes] : files) Store(name, bytes);
  const Result made = Run("backup create nas");
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr("nas: 12 files"));
  EXPECT_EQ(Objects().size(), 12U);
  EXPECT_FALSE(fs::exists(folder / "up"));
  const Result verified = Run("backup verify nas");
  EXPECT_EQ(verified.code, 0) << verified.err;
  EXPECT_THAT(verified.err, HasSubstr("all are whole"));
  const auto listed = Run("--json backup ls nas").Lines();
  ASSERT_EQ(listed.size(), 13U);
  EXPECT_EQ(listed[0]["files"], 12);
  for (std::size_t i = 1; i < listed.size(); ++i) EXPECT_TRUE(files.contains(listed[i]["name"].get<std::string>()));
  EXPECT_THAT(Run("backup ls -l nas large").out, HasSubstr("9437184"));
  const Result restored = Run("backup restore --into=other nas");
  EXPECT_EQ(restored.code, 0) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("made bucket other"));
  EXPECT_EQ(Stored("other"), files);
  EXPECT_EQ(Stored(), files);
  Forget();
  EXPECT_EQ(Run("-q backup restore nas").code, 0);
  EXPECT_EQ(Stored(), files);
}

TEST_F(BackupTest, OnlyWhatHasChangedIsReadAgain) {
  Store("a", "aaa");
  Store("b", "bbb");
  Store("c", "ccc");
  ASSERT_EQ(Run("backup create nas").code, 0);
  EXPECT_EQ(Gets(), 3);
  const Result same = Run("backup create nas");
  EXPECT_EQ(same.code, 0) << same.err;
  EXPECT_EQ(Gets(), 3) << "nothing has changed";
  EXPECT_THAT(same.err, HasSubstr("read 0 files, 0 bytes; 3 were there already"));
  Store("b", "BBB");
  Store("d", "ddd");
  {
    MutexLock lock(&state->mutex);
    state->files.erase("c");
  }
  const Result changed = Run("--json backup create nas");
  EXPECT_EQ(changed.code, 0);
  EXPECT_EQ(Gets(), 5);
  const Json sum = changed.Lines().back();
  EXPECT_EQ(sum["files"], 3);
  EXPECT_EQ(sum["read"], 2);
  EXPECT_EQ(sum["kept"], 1);
  EXPECT_EQ(sum["objects_removed"], 2) << "of the old b, and of c";
  EXPECT_EQ(Objects().size(), 3U);
  EXPECT_EQ(Run("backup ls nas").out, "a\nb\nd\n");
  EXPECT_EQ(Run("backup verify nas").code, 0);
}

TEST_F(BackupTest, DamagedAndMissingObjectsAreFoundAndNotRestored) {
  for (const char* name : {"good", "flipped", "missing", "short"}) Store(name, std::string("bytes of ") + name);
  Store("large", std::string(9 << 20, 'x'));
  ASSERT_EQ(Run("backup create nas").code, 0);
  WriteFile(ObjectWith("bytes of flipped"), "bytes of flippee");
  WriteFile(ObjectWith("bytes of short"), "bytes of");
  fs::remove(ObjectWith("bytes of missing"));
  std::string large(9 << 20, 'x');
  const fs::path object = ObjectWith(large);
  large.back() = 'y';
  WriteFile(object, large);
  const Result verified = Run("backup verify nas");
  EXPECT_EQ(verified.code, 65);
  for (const char* name : {"flipped", "missing", "short", "large"}) {
    EXPECT_THAT(verified.err, HasSubstr("dfs-cli: " + std::string(name) + ": ")) << verified.err;
  }
  EXPECT_THAT(verified.err, HasSubstr("4 damaged or missing"));
  EXPECT_EQ(Run("backup verify nas good").code, 0);
  EXPECT_EQ(Run("backup verify nas none").code, 12);
  Forget();
  const Result restored = Run("backup restore nas");
  EXPECT_EQ(restored.code, 2) << restored.err;
  EXPECT_EQ(Stored(), (std::map<std::string, std::string>{{"good", "bytes of good"}}));
  EXPECT_EQ(Run("backup restore nas flipped").code, 65);
  EXPECT_EQ(Run("backup restore -n nas missing").code, 65);
}

TEST_F(BackupTest, CheckReadsTheFolderAndReplacesWhatIsDamaged) {
  Store("a", "aaa");
  Store("b", "bbb");
  ASSERT_EQ(Run("backup create nas").code, 0);
  WriteFile(ObjectWith("aaa"), "aaX");
  EXPECT_EQ(Run("backup create nas").code, 0);
  EXPECT_EQ(Run("backup verify nas").code, 65) << "its length is right, and nobody has read it";
  EXPECT_EQ(Run("backup create --check nas").code, 0);
  EXPECT_EQ(Gets(), 3);
  EXPECT_EQ(Run("backup verify nas").code, 0);
}

TEST_F(BackupTest, AManifestThatIsCutOffIsRefusedAndSaysWhatToDo) {
  Store("a", "aaa");
  ASSERT_EQ(Run("backup create nas").code, 0);
  const std::string text = ReadFile(Manifest());
  WriteFile(Manifest(), text.substr(0, text.size() / 2));
  for (const char* words : {"backup verify nas", "backup ls nas", "backup restore nas", "backup create nas"}) {
    const Result result = Run(words);
    EXPECT_EQ(result.code, 65) << words;
    EXPECT_THAT(result.err, HasSubstr("damaged or cut off")) << words;
    EXPECT_THAT(result.err, HasSubstr("remove it")) << words;
  }
  EXPECT_EQ(Objects().size(), 1U) << "nothing was changed";
  fs::remove(Manifest());
  EXPECT_EQ(Run("backup restore nas").code, 12);
  EXPECT_EQ(Run("backup create --check nas").code, 0) << "as it was told";
  EXPECT_EQ(Gets(), 1);
  EXPECT_EQ(Run("backup verify nas").code, 0);
}

TEST_F(BackupTest, FilesThatChangeMeanwhileAreTakenAsTheyAreThen) {
  Store("changed", "old");
  a.Inject("Get", {Fault::kReplaceBefore});
  const Result changed = Run("backup create nas");
  EXPECT_EQ(changed.code, 0) << changed.err;
  EXPECT_EQ(ReadFile(Objects().at(0)), "old anew");
  EXPECT_EQ(Run("backup verify nas").code, 0);
  Store("removed", "gone");
  a.Inject("Get", {Fault::kRemoveBefore});
  const Result removed = Run("backup create nas");
  EXPECT_EQ(removed.code, 0) << removed.err;
  EXPECT_THAT(removed.err, HasSubstr("removed  was removed meanwhile: left out"));
  EXPECT_THAT(removed.err, HasSubstr("nas: 1 files"));
  EXPECT_EQ(Run("backup ls nas").out, "changed\n");
}

TEST_F(BackupTest, OfAFileThatCannotBeReadTheOlderVersionStays) {
  Store("a", "aaa");
  Store("b", "bbb");
  ASSERT_EQ(Run("backup create nas").code, 0);
  Store("b", "new");
  Store("c", "ccc");
  // Three tries, one node after the other: all of b's.
  a.Inject("Get", {Fault::kDamage, Fault::kDamage});
  b.Inject("Get", {Fault::kDamage});
  const Result partly = Run("backup create --jobs=1 nas");
  EXPECT_EQ(partly.code, 2) << partly.err;
  EXPECT_THAT(partly.err, HasSubstr("1 failed (the last backup had 1 of them: that version is kept)"));
  a.ClearFaults();
  b.ClearFaults();
  Forget();
  EXPECT_EQ(Run("backup restore nas").code, 0);
  EXPECT_EQ(Stored(), (std::map<std::string, std::string>{{"a", "aaa"}, {"b", "bbb"}, {"c", "ccc"}}));
}

TEST_F(BackupTest, ABucketWithoutAGoodFileDoesNotKeepTheOthersOut) {
  MakeBucket("photos");
  Store("a", "aaa");
  Store("p", "ppp", "photos");
  a.Inject("Get", {Fault::kDamage, Fault::kDamage});
  b.Inject("Get", {Fault::kDamage});
  EXPECT_EQ(Run("backup create --all-buckets nas").code, 2);
  EXPECT_EQ(Run("backup ls nas").out, "photos:p\n");
  a.Inject("Get", {Fault::kDamage, Fault::kDamage});
  b.Inject("Get", {Fault::kDamage});
  const Result none = Run("backup create other");
  EXPECT_EQ(none.code, 65);
  EXPECT_THAT(none.err, HasSubstr("there is no backup yet"));
  EXPECT_EQ(Run("backup ls other").code, 12);
}

TEST_F(BackupTest, AKilledCreateLeavesTheLastBackupAndTheNextGoesOn) {
  Store("a", "aaa");
  ASSERT_EQ(Run("backup create nas").code, 0);
  const std::string manifest = ReadFile(Manifest());
  Store("a", "AAA");
  Store("b", "bbb");
  std::string bytes(24 << 20, '\0');
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<char>(i * 5 + (i >> 12));
  Store("c", bytes);
  const auto interrupt = [&](const std::string& signal, const std::string& size, const std::vector<Fault>& faults) {
    for (FakeNode* node : {&a, &b}) {
      node->ClearFaults();
      node->Inject("Get", faults);
    }
    WriteFile(folder / "script", std::string(DFS_CLI_PATH) + " backup create --jobs=1 nas & child=$!\n" +
                                     UntilOneIs(".*.v*.partial", size) + "kill -" + signal + " $child; wait $child\n");
    const int code = RunScript().code;
    EXPECT_EQ(ReadFile(Manifest()), manifest);
    EXPECT_EQ(Run("backup verify nas").code, 0) << "the last one is whole";
    return code;
  };
  // In half of c, and in half of the rest.
  EXPECT_EQ(interrupt("INT", "+9M", {Fault::kNone, Fault::kNone, Fault::kHangMidway}), 130);
  EXPECT_EQ(interrupt("KILL", "+15M", {Fault::kHangMidway}), 137);
  for (FakeNode* node : {&a, &b}) node->ClearFaults();
  const int gets = Gets();
  const std::uint64_t sent = a.bytes_sent() + b.bytes_sent();
  const Result next = Run("backup create nas");
  EXPECT_EQ(next.code, 0) << next.err;
  EXPECT_EQ(Gets() - gets, 1) << "a and b had been read";
  EXPECT_LT(a.bytes_sent() + b.bytes_sent() - sent, bytes.size() / 4 + (2 << 20)) << "and most of c";
  EXPECT_EQ(Run("backup verify nas").code, 0);
  EXPECT_EQ(Objects().size(), 3U) << "nothing is left of what was interrupted";
  int names = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator(folder / "nas")) ++names;
  EXPECT_EQ(names, 3) << "manifest, lock, objects";
}

TEST_F(BackupTest, AFullDiskIsALocalErrorAndTheLastBackupStays) {
  Store("a", "aaa");
  ASSERT_EQ(Run("backup create nas").code, 0);
  const std::string manifest = ReadFile(Manifest());
  Store("b", std::string(4 << 20, 'b'));
  Store("c", std::string(4 << 20, 'c'));
  // A file may have 1 MiB: a write beyond it fails.
  const Result full = Run("backup create --jobs=1 nas", "trap '' XFSZ; ulimit -f 1024;");
  EXPECT_EQ(full.code, 74) << full.err;
  EXPECT_THAT(full.err, HasSubstr("cannot write"));
  EXPECT_THAT(full.err, HasSubstr("the backup that was there is as it was"));
  EXPECT_EQ(full.err.find("dfs-cli: c"), std::string::npos) << "it is not tried for every file: " << full.err;
  EXPECT_EQ(ReadFile(Manifest()), manifest);
  EXPECT_EQ(Run("backup verify nas").code, 0);
  EXPECT_EQ(Run("backup create nas").code, 0);
}

TEST_F(BackupTest, WithoutTheClusterThereIsNoNewBackup) {
  Store("a", "aaa");
  ASSERT_EQ(Run("backup create nas").code, 0);
  const std::string manifest = ReadFile(Manifest());
  Store("b", "bbb");
  a.Inject("Get", std::vector<Fault>(200, Fault::kNoQuorum));
  b.Inject("Get", std::vector<Fault>(200, Fault::kNoQuorum));
  Store("a", "AAA");
  const Result none = Run("--retries=1 backup create nas");
  EXPECT_EQ(none.code, 15) << none.err;
  EXPECT_EQ(ReadFile(Manifest()), manifest);
  a.Kill();
  b.Kill();
  EXPECT_EQ(Run("backup create nas").code, 111);
  EXPECT_EQ(Run("backup verify nas").code, 0) << "asks nobody";
  EXPECT_EQ(Run("backup ls nas").out, "a\n");
}

TEST_F(BackupTest, WhatIsThereIsCountedOrAConflict) {
  Store("same", "same");
  Store("other", "other");
  Store("absent", "absent");
  ASSERT_EQ(Run("backup create nas").code, 0);
  Forget();
  Store("same", "same");
  Store("other", "newer");
  const Result restored = Run("backup restore nas");
  EXPECT_EQ(restored.code, 2) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("restored 1 files, 6 bytes; 1 were there already; 1 failed"));
  EXPECT_THAT(restored.err, HasSubstr("other: there is a file of this name with other bytes"));
  EXPECT_EQ(Stored()["other"], "newer");
  EXPECT_EQ(Run("backup restore nas other").code, 13);
  EXPECT_EQ(Run("backup restore -n nas other").code, 13);
  const int puts = Puts();
  const Result again = Run("--json backup restore --overwrite nas");
  EXPECT_EQ(again.code, 0) << again.out;
  EXPECT_EQ(Puts() - puts, 1) << "only what has other bytes";
  EXPECT_EQ(Stored()["other"], "other");
  EXPECT_EQ(again.Lines().size(), 3U);
}

TEST_F(BackupTest, AllBucketsComeBackWithTheirSettings) {
  MakeBucket("photos");
  MakeBucket("field", v1::GOSSIP);
  {
    MutexLock lock(&state->mutex);
    state->buckets["photos"].set_versions_kept(7);
  }
  Store("x", "default x");
  Store("x", "photos x", "photos");
  Store("x", "field x", "field");
  Store("dir/y", "photos y", "photos");
  const Result made = Run("backup create --all-buckets nas");
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_EQ(Run("backup ls nas").out, "default:x\nfield:x\nphotos:dir/y\nphotos:x\n");
  EXPECT_EQ(Run("--bucket=photos backup ls nas dir").out, "photos:dir/y\n");
  EXPECT_EQ(Run("--bucket=none backup ls nas").code, 12);
  Forget();
  {
    MutexLock lock(&state->mutex);
    state->buckets.erase("photos");
    state->buckets.erase("field");
  }
  EXPECT_THAT(Run("backup restore -n nas").out, HasSubstr("SIMULATION: would mb field"));
  EXPECT_EQ(Run("backup restore --into=one nas").code, 64) << "x is of three buckets";
  EXPECT_EQ(Run("--bucket=field backup restore nas").code, 0);
  EXPECT_EQ(Stored("field").size(), 1U);
  EXPECT_EQ(Stored("photos").size(), 0U);
  const Result restored = Run("backup restore nas");
  EXPECT_EQ(restored.code, 0) << restored.err;
  EXPECT_EQ(Stored("photos"), (std::map<std::string, std::string>{{"dir/y", "photos y"}, {"x", "photos x"}}));
  EXPECT_EQ(Stored()["x"], "default x");
  MutexLock lock(&state->mutex);
  EXPECT_EQ(state->buckets["photos"].versions_kept(), 7U);
  EXPECT_EQ(state->buckets["field"].mode(), v1::GOSSIP);
}

TEST_F(BackupTest, ABackupOfSomethingElseIsNotReplaced) {
  MakeBucket("photos");
  Store("a", "aaa");
  Store("p", "ppp", "photos");
  ASSERT_EQ(Run("backup create nas").code, 0);
  EXPECT_EQ(Run("--bucket=photos backup create nas").code, 14);
  EXPECT_EQ(Run("--bucket=none backup create other").code, 12);
  EXPECT_EQ(Run("backup create --all-buckets nas").code, 0) << "all that it held, and more";
  EXPECT_EQ(Run("backup create nas").code, 14);
  {
    MutexLock lock(&state->mutex);
    state->cluster_id = std::string(31, '0') + "2";
  }
  const Result other = Run("backup create --all-buckets nas");
  EXPECT_EQ(other.code, 14);
  EXPECT_THAT(other.err, HasSubstr("another cluster"));
  EXPECT_EQ(Run("backup restore nas").code, 0) << "that is what it is for";
  fs::create_directories(folder / "work/objects/ab");
  WriteFile(folder / "work/objects/ab/pack", "precious");
  EXPECT_EQ(Run("backup create work").code, 14) << "no backup, and not empty";
  EXPECT_EQ(ReadFile(folder / "work/objects/ab/pack"), "precious");
  EXPECT_EQ(Run("backup verify nowhere").code, 12);
  WriteFile(folder / "file", "x");
  EXPECT_EQ(Run("backup create file/below").code, 74);
}

TEST_F(BackupTest, TwoAtOnceAreRefused) {
  Store("a", "aaa");
  ASSERT_EQ(Run("backup create nas").code, 0);
  const int lock = ::open((folder / "nas/dfs-backup.lock").c_str(), O_RDWR);
  ASSERT_EQ(::flock(lock, LOCK_EX), 0);
  const Result refused = Run("backup create nas");
  EXPECT_EQ(refused.code, 75);
  EXPECT_THAT(refused.err, HasSubstr("in use by another"));
  EXPECT_EQ(Run("backup verify nas").code, 75) << "it may be about to remove what is read";
  ASSERT_EQ(::flock(lock, LOCK_SH), 0);
  EXPECT_EQ(Run("backup restore nas").code, 0) << "two readers do no harm";
  EXPECT_EQ(Run("backup create nas").code, 75);
  ::close(lock);
  EXPECT_EQ(Run("backup create nas").code, 0);
}

TEST_F(BackupTest, SimulationChangesNothing) {
  Store("a", "aaa");
  const Result made = Run("backup create -n nas");
  EXPECT_EQ(made.code, 0) << made.err;
  EXPECT_THAT(made.out, HasSubstr("SIMULATION: would read a  3 bytes"));
  EXPECT_FALSE(fs::exists(folder / "nas"));
  ASSERT_EQ(Run("backup create nas").code, 0);
  EXPECT_EQ(Run("backup create -n nas").out, "");
  EXPECT_EQ(Run("backup restore -n nas").out, "") << "it is there";
  Store("a", "AAA");
  EXPECT_THAT(Run("backup restore -n --overwrite nas").out, HasSubstr("would restore a  3 bytes, in place of version 2"));
  EXPECT_THAT(Run("backup create -n nas").out, HasSubstr("would read a"));
  EXPECT_EQ(Puts(), 0);
  EXPECT_EQ(Gets(), 1);
}

TEST_F(BackupTest, UsageErrorsAre64) {
  for (const char* words : {"backup", "backup create", "backup remove nas", "backup create ''", "backup create nas name", "backup verify -n nas",
                            "backup ls --overwrite nas", "backup create --into=b nas", "backup verify --check nas", "backup restore -l nas",
                            "backup restore --all-buckets nas", "--bucket=b backup create --all-buckets nas", "backup create --jobs=0 nas"}) {
    EXPECT_EQ(Run(words).code, 64) << words;
  }
  EXPECT_FALSE(fs::exists(folder / "nas"));
  EXPECT_THAT(Run("help backup").out, HasSubstr("not all of one moment"));
  EXPECT_THAT(Run("completion bash").out, HasSubstr("backup) flags='"));
}

}  // namespace
}  // namespace dfs::client
