// A cluster is backed up, lost with all its data, and another one holds the same files.
#include <filesystem>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/cluster_fixture.h"

namespace dfs::testing {
namespace {

using ::testing::HasSubstr;
using nlohmann::json;

constexpr std::uint64_t kLarge = (std::uint64_t{64} << 20) + 1;  // one byte more than a chunk

struct StoredFile {
  std::uint64_t seed = 0;
  std::uint64_t size = 0;
};
using StoredFiles = std::map<std::pair<std::string, std::string>, StoredFile>;  // by bucket and name

class Backup : public ::testing::Test {
 protected:
  Backup() { EXPECT_OK(cluster_->Up(3)); }

  [[nodiscard]] client::FileClient ClientOf(const std::string& bucket) const {
    client::FileClientOptions options;
    options.bucket = bucket;
    return client::FileClient(cluster_->Endpoints(), options);
  }
  void PutAll(const StoredFiles& files) const {
    for (const auto& [key, file] : files) {
      SeededSource source(file.seed, file.size);
      EXPECT_OK(ClientOf(key.first).Put(key.second, source).status());
    }
  }
  void ExpectAll(const StoredFiles& files) const {
    for (const auto& [key, file] : files) {
      FingerprintSink sink;
      EXPECT_OK(ClientOf(key.first).Get(key.second, sink).status());
      EXPECT_TRUE(sink.fingerprint() == FingerprintOfSeeded(file.seed, file.size)) << key.first << ":" << key.second;
    }
  }
  // The last line of --json.
  [[nodiscard]] json Sum(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), "--json");
    const auto result = cluster_->Cli(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.out << result.err;
    std::istringstream lines(result.out);
    std::string last;
    for (std::string line; std::getline(lines, line);) last = line;
    return json::parse(last, nullptr, /*allow_exceptions=*/false);
  }
  [[nodiscard]] CommandResult Run(const std::vector<std::string>& arguments) const { return cluster_->Cli(arguments); }
  // Another cluster, in the place of what is gone with all its data.
  void LoseAll() {
    cluster_ = std::make_unique<ProcessCluster>();
    ASSERT_OK(cluster_->Up(3));
  }

  std::unique_ptr<ProcessCluster> cluster_ = std::make_unique<ProcessCluster>();
  const TemporaryFolder nas_;
};

TEST_F(Backup, OfAClusterThatIsLostComesBackInAnother) {
  const std::string folder = nas_.File("dfs");
  ASSERT_EQ(Run({"mb", "--versions=3", "--replicas=2", "--quota-files=100", "photos"}).exit_code, 0);
  ASSERT_EQ(Run({"mb", "--mode=gossip", "field"}).exit_code, 0);
  StoredFiles files = {{{"default", "empty"}, {1, 0}},          {{"default", "dir/large"}, {2, kLarge}},
                       {{"default", "dir/with space"}, {3, 5'000}}, {{"default", "\xF0\x9F\x98\x80"}, {4, 1}},
                       {{"photos", "dir/large"}, {5, 1 << 20}}, {{"field", "note"}, {6, 300}}};
  PutAll(files);

  const auto made = Run({"backup", "create", "--all-buckets", folder});
  ASSERT_EQ(made.exit_code, 0) << made.err;
  EXPECT_THAT(made.err, HasSubstr(": 6 files, "));
  EXPECT_LT(made.peak_mb, 150) << "not a file at a time";
  EXPECT_EQ(Sum({"backup", "create", "--all-buckets", folder})["read"], 0);

  // What changes is read, and nothing else.
  files[{"default", "dir/with space"}] = {7, 6'000};
  files[{"photos", "new"}] = {8, 70'000};
  files.erase({"default", "empty"});
  PutAll({{{"default", "dir/with space"}, {7, 6'000}}, {{"photos", "new"}, {8, 70'000}}});
  ASSERT_EQ(Run({"remove", "empty"}).exit_code, 0);
  PutAll({{{"default", "nothing"}, {9, 0}}});
  files[{"default", "nothing"}] = {9, 0};
  const json changed = Sum({"backup", "create", "--all-buckets", folder});
  EXPECT_EQ(changed["read"], 3);
  EXPECT_EQ(changed["read_bytes"], 76'000);
  EXPECT_EQ(changed["kept"], 4);
  EXPECT_EQ(changed["files"], files.size());
  EXPECT_EQ(changed["objects_removed"], 2);
  EXPECT_EQ(Run({"backup", "verify", folder}).exit_code, 0);

  LoseAll();
  EXPECT_EQ(Run({"backup", "create", "--all-buckets", folder}).exit_code, 14) << "an empty cluster must not take its place";
  const auto restored = Run({"backup", "restore", folder});
  EXPECT_EQ(restored.exit_code, 0) << restored.err;
  EXPECT_THAT(restored.err, HasSubstr("restored 7 files"));
  ExpectAll(files);
  std::map<std::string, json> buckets;
  std::istringstream lines(Run({"--json", "buckets"}).out);
  for (std::string line; std::getline(lines, line);) {
    const json bucket = json::parse(line);
    buckets[bucket["bucket"]] = bucket;
  }
  EXPECT_EQ(buckets["photos"]["versions"], 3);
  EXPECT_EQ(buckets["photos"]["replicas_wanted"], 2);
  EXPECT_EQ(buckets["photos"]["quota_files"], 100);
  EXPECT_EQ(buckets["field"]["mode"], "gossip");

  const auto again = Run({"backup", "restore", folder});
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("restored 0 files, 0 bytes; 7 were there already"));
  // In buckets of both modes what is there otherwise stays, unless it is said.
  PutAll({{{"photos", "new"}, {10, 10}}, {{"field", "note"}, {11, 11}}});
  EXPECT_EQ(Run({"backup", "restore", folder, "new", "note"}).exit_code, 13);
  EXPECT_EQ(Run({"backup", "restore", "--overwrite", folder, "new", "note"}).exit_code, 0);
  ExpectAll(files);
  Proved("a cluster of three was lost with all its data: a backup brought back 7 files of 3 buckets, one of " +
         std::to_string(kLarge) + " bytes and one of none, with equal hashes");
}

}  // namespace
}  // namespace dfs::testing
