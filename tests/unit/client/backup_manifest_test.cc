#include "client/cli/backup_manifest.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "client/cli/backup_reader.h"
#include "client/cli/backup_selection.h"
#include "client/cli/backup_writer.h"

namespace dfs::client::cli {
namespace {

namespace fs = std::filesystem;

v1::FileInfo FileOf(const std::string& bucket, const std::string& name, std::uint64_t version = 7) {
  v1::FileInfo file;
  file.set_bucket(bucket);
  file.set_name(name);
  file.set_version(version);
  file.set_size(1'234);
  file.set_crc32c(0x61af7533);
  file.set_content_hash(std::string("\0\x01\xFE", 3) + std::string(13, 'x'));
  file.set_time_us(1'700'000'000'000'000);
  return file;
}

BackupHeader HeaderOf() {
  BackupHeader header;
  header.cluster_id = "c1";
  header.time_us = 1'700'000'000'000'001;
  header.has_all_buckets = true;
  v1::BucketOptions quorum;
  quorum.set_mode(v1::QUORUM);
  quorum.set_replicas(5);
  quorum.set_write_quorum(3);
  quorum.set_read_quorum(4);
  quorum.set_versions_kept(10);
  quorum.set_quota_bytes(std::uint64_t{1} << 60);
  quorum.set_conflict_window_s(0);
  v1::BucketOptions gossip;
  gossip.set_mode(v1::GOSSIP);
  header.buckets = {{"a.b-c", quorum}, {"field", gossip}};
  return header;
}

class ManifestTest : public ::testing::Test {
 protected:
  ManifestTest() {
    std::string pattern = (fs::temp_directory_path() / "dfs_manifest_XXXXXX").string();
    folder_ = ::mkdtemp(pattern.data());
    path_ = (folder_ / "manifest.jsonl").string();
  }
  ~ManifestTest() override { fs::remove_all(folder_); }
  void Write(const std::vector<v1::FileInfo>& files) const {
    auto writer = BackupWriter::Begin(path_, HeaderOf());
    ASSERT_TRUE(writer.ok()) << writer.status();
    for (const auto& file : files) ASSERT_TRUE((*writer)->Add(file).ok());
    ASSERT_TRUE((*writer)->Commit().ok());
  }
  [[nodiscard]] std::string Text() const {
    std::ifstream in(path_, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  void Replace(const std::string& text) const { std::ofstream(path_, std::ios::binary) << text; }

  fs::path folder_;
  std::string path_;
};

TEST_F(ManifestTest, WhatIsWrittenIsRead) {
  const std::vector<v1::FileInfo> files = {FileOf("a.b-c", "../x"), FileOf("a.b-c", std::string(1'024, '\n')),
                                           FileOf("field", "quote \" \\ \x01 \xC3\xA4", 18'446'744'073'709'551'615U)};
  auto sorted = files;
  std::sort(sorted.begin(), sorted.end(), IsBefore);
  Write(sorted);
  auto reader = BackupReader::Open(path_);
  ASSERT_TRUE(reader.ok()) << reader.status();
  EXPECT_EQ((*reader)->sum().files, 3U);
  EXPECT_EQ((*reader)->sum().bytes, 3U * 1'234);
  EXPECT_EQ((*reader)->header().cluster_id, "c1");
  EXPECT_TRUE((*reader)->header().has_all_buckets);
  for (const auto& bucket : HeaderOf().buckets) {
    const BackupBucket* read = (*reader)->header().Find(bucket.name);
    ASSERT_NE(read, nullptr);
    EXPECT_EQ(read->options.SerializeAsString(), bucket.options.SerializeAsString());
  }
  for (const auto& file : sorted) {
    v1::FileInfo read;
    EXPECT_TRUE((*reader)->Next(&read).value());
    EXPECT_EQ(read.SerializeAsString(), file.SerializeAsString());
  }
  v1::FileInfo none;
  EXPECT_FALSE((*reader)->Next(&none).value());
}

TEST_F(ManifestTest, EveryFlippedByteAndEveryCutIsNoticed) {
  Write({FileOf("field", "a"), FileOf("field", "b")});
  const std::string text = Text();
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string flipped = text;
    flipped[i] ^= 4;
    Replace(flipped);
    EXPECT_FALSE(BackupReader::Open(path_).ok()) << i << ": " << flipped.substr(i < 20 ? 0 : i - 20, 40);
    if (i % 8 != 0 && i + 2 < text.size()) continue;
    Replace(text.substr(0, i));
    EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status())) << i;
  }
  Replace(text + "\n");
  EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status()));
  Replace(text);
  EXPECT_TRUE(BackupReader::Open(path_).ok());
}

TEST_F(ManifestTest, LinesOutOfOrderAndBucketsThatLeadElsewhereAreRefused) {
  Write({FileOf("field", "b"), FileOf("field", "a")});
  EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status()));
  Write({FileOf("field", "a"), FileOf("field", "a")});
  EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status()));
  Write({FileOf("../etc", "a")});
  EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status()));
  Write({FileOf("other", "a")});
  EXPECT_TRUE(absl::IsDataLoss(BackupReader::Open(path_).status()));
  Replace(R"({"format":"dfs-backup","format_version":2})" "\n");
  EXPECT_TRUE(absl::IsUnimplemented(BackupReader::Open(path_).status()));
}

TEST_F(ManifestTest, FilesAreFoundInTheirOrder) {
  Write({FileOf("field", "b"), FileOf("field", "d"), FileOf("field", "e")});
  auto reader = BackupReader::Open(path_);
  ASSERT_TRUE(reader.ok());
  v1::FileInfo found;
  for (const auto& [name, is_there] : {std::pair{"a", false}, {"b", true}, {"c", false}, {"e", true}, {"f", false}}) {
    EXPECT_EQ((*reader)->Find(FileOf("field", name), &found).value(), is_there) << name;
    if (is_there) {
      EXPECT_EQ(found.name(), name);
    }
  }
}

TEST(BackupObjects, NamesAreTheirsAloneAndLeadNowhere) {
  const std::string name = ObjectNameOf(FileOf("a.b-c", "../../etc/passwd"));
  EXPECT_TRUE(name.starts_with("a.b-c-7-61af7533-")) << name;
  EXPECT_EQ(name.find('/'), std::string::npos);
  EXPECT_TRUE(IsObjectName(name));
  EXPECT_EQ(ObjectPathOf(name), "objects/" + name.substr(name.size() - 2) + "/" + name);
  EXPECT_NE(name, ObjectNameOf(FileOf("a.b-c", "../../etc/passwe"))) << "gossip files may share a version";
  EXPECT_NE(name, ObjectNameOf(FileOf("a.b-c", "../../etc/passwd", 8)));
  for (const char* other : {"", "pack-1", "0123456789abcdef0123456789abcdef012345678", "-7-61af7533-0123456789abcdef0123456789abcdef",
                            "b-x-61af7533-0123456789abcdef0123456789abcdef", "b/-7-61af7533-0123456789abcdef0123456789abcdef"}) {
    EXPECT_FALSE(IsObjectName(other)) << other;
  }
}

TEST(BackupSelection, WordsAreFilesFoldersAndPatterns) {
  const auto taken = [](const std::vector<std::string>& words, const std::string& bucket = "") {
    auto selection = BackupSelection::Make(words, false, bucket);
    EXPECT_TRUE(selection.ok());
    std::string out;
    const std::vector<v1::FileInfo> files = {FileOf("a", "r/a"), FileOf("a", "r/b/c"), FileOf("a", "ra"), FileOf("a", "x[1]"),
                                             FileOf("a", "x1"), FileOf("b", "r/a")};
    for (const auto& file : files) selection->See(file);
    for (const auto& file : files) {
      if (selection->Takes(file)) out += file.bucket() + ":" + file.name() + " ";
    }
    for (const auto& [word, status] : selection->Unmatched()) out += "none:" + word + " ";
    return out;
  };
  EXPECT_EQ(taken({"r"}), "a:r/a a:r/b/c b:r/a ") << "never ra";
  EXPECT_EQ(taken({"r/"}, "b"), "b:r/a ");
  EXPECT_EQ(taken({"r/b", "none"}), "a:r/b/c none:none ");
  EXPECT_EQ(taken({"r*"}), "a:r/a a:r/b/c a:ra b:r/a ");
  EXPECT_EQ(taken({"x[1]"}), "a:x[1] ") << "a file of just this name comes first";
  EXPECT_EQ(taken({"x?"}), "a:x1 ");
  EXPECT_EQ(taken({}), "a:r/a a:r/b/c a:ra a:x[1] a:x1 b:r/a ");
  EXPECT_FALSE(BackupSelection::Make({"a*\\"}, false, "").ok());
}

}  // namespace
}  // namespace dfs::client::cli
