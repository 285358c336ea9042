// What storage-only nodes keep of the state.
#include "server/metadata/directory_rows.h"

#include <gtest/gtest.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "server/metadata/limits.h"
#include "server/metadata/row_keys.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

// Of a cluster that has files, and a storage-only node beside it.
class Directory : public ::testing::Test {
 protected:
  Directory() {
    EXPECT_EQ(world_.Put("secret").code(), Code::DONE);
    EXPECT_EQ(world_.MakeBucket("pictures").code(), Code::DONE);
  }
  // What Raft brings it: how far the log goes, and no commands.
  void Follow() {
    for (LogIndex i = storage_.applied_index().Next(); i <= world_.machine->applied_index(); i = i.Next()) {
      storage_.Apply(i, Term(1), "");
    }
  }
  absl::Status Adopt() { return AdoptDirectory(world_.machine->Directory(), &rows_); }
  [[nodiscard]] LogIndex Seen() const { return storage_.View()->applied_index(); }

  World world_{3};
  MemoryKeyValueStore rows_;
  MetadataMachine storage_{&rows_, Keeps::kDirectory};
};

TEST_F(Directory, HasTheNodesAndTheBucketsAndNoFile) {
  EXPECT_FALSE(storage_.has_files());
  Follow();
  ASSERT_TRUE(Adopt().ok());
  const auto view = storage_.View();
  const auto whole = world_.machine->View();
  EXPECT_EQ(view->applied_index(), whole->applied_index());
  EXPECT_EQ(view->cluster_id(), whole->cluster_id());
  EXPECT_EQ(view->Nodes().size(), 3u);
  EXPECT_EQ(view->member_count(), 3u);
  EXPECT_EQ(view->next_node_id(), whole->next_node_id());
  EXPECT_EQ(view->next_bucket_id(), whole->next_bucket_id());
  EXPECT_EQ(view->Buckets().size(), 2u);
  ASSERT_TRUE(view->FindBucket("pictures"));
  EXPECT_EQ(view->GetTotals().files, 1u) << "counted for its status";
  EXPECT_TRUE(whole->FindFile(kBucket, "secret"));
  EXPECT_FALSE(view->FindFile(kBucket, "secret"));
  for (const auto& [key, value] : rows_.rows()) {
    EXPECT_EQ(key.find("secret"), std::string::npos);
    EXPECT_EQ(value.find("secret"), std::string::npos);
  }
}

TEST_F(Directory, PassesCommandsOver) {
  rpc::Command command;
  *command.mutable_commit_put() = world_.PutCommand("another");
  storage_.Apply(LogIndex(1), Term(1), command.SerializeAsString());
  EXPECT_EQ(storage_.applied_index(), LogIndex(1));
  EXPECT_EQ(rows_.rows().size(), 1u) << "how far it is applied";
}

TEST_F(Directory, VouchesForNoEntryThatItWasNotTold) {
  Follow();
  EXPECT_EQ(Seen(), LogIndex(0)) << "it knows nobody yet";
  ASSERT_TRUE(Adopt().ok());
  const LogIndex told = world_.machine->applied_index();
  ASSERT_EQ(world_.Put("later").code(), Code::DONE);
  Follow();
  EXPECT_EQ(storage_.applied_index(), told.Next());
  EXPECT_EQ(Seen(), told);
  // Nor for one that it has not applied, though the rows are newer.
  ASSERT_EQ(world_.Put("still later").code(), Code::DONE);
  ASSERT_TRUE(Adopt().ok());
  EXPECT_EQ(Seen(), told.Next());
}

TEST_F(Directory, FollowsEachChangeAndNeverGoesBack) {
  const DirectoryRows old = world_.machine->Directory();
  const BucketId pictures(world_.machine->View()->FindBucket("pictures")->id());
  ASSERT_EQ(world_.RemoveBucket(pictures).code(), Code::DONE);
  ASSERT_EQ(world_.MakeBucket("music").code(), Code::DONE);
  world_.AddActiveNode();
  ASSERT_TRUE(Adopt().ok());
  const auto seen = rows_.rows();
  ASSERT_TRUE(AdoptDirectory(old, &rows_).ok());
  EXPECT_EQ(rows_.rows(), seen);
  const auto view = storage_.View();
  EXPECT_FALSE(view->FindBucket("pictures"));
  EXPECT_TRUE(view->FindBucket("music"));
  EXPECT_EQ(view->Nodes().size(), 4u);
  EXPECT_EQ(world_.machine->Directory().rows.size() + 1, rows_.rows().size()) << "those, and how far it is told";
}

TEST_F(Directory, RowsOfOtherTablesAreRefused) {
  DirectoryRows directory = world_.machine->Directory();
  directory.rows.emplace_back(TxnKey({Term(1), 1}), "x");
  EXPECT_EQ(AdoptDirectory(directory, &rows_).code(), absl::StatusCode::kInvalidArgument);
  directory.rows.pop_back();
  std::swap(directory.rows.front(), directory.rows.back());
  EXPECT_EQ(AdoptDirectory(directory, &rows_).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(rows_.rows().empty());
}

// Rule R9: a log that was cut.
TEST_F(Directory, IsASnapshotOfTheState) {
  const auto snapshot = DirectoryOf(world_.store.Snapshot());
  MemoryKeyValueStore::Rows rows;
  snapshot->Scan("", "", [&](std::string_view key, std::string_view value) {
    rows[std::string(key)] = value;
    return true;
  });
  rows_.Replace(rows);
  storage_.Reload();
  EXPECT_EQ(storage_.applied_index(), world_.machine->applied_index());
  EXPECT_EQ(Seen(), world_.machine->applied_index());
  EXPECT_EQ(storage_.View()->Nodes().size(), 3u);
  EXPECT_FALSE(storage_.View()->FindFile(kBucket, "secret"));
}

// Its state is not theirs: nothing to compare.
TEST_F(Directory, HasNoStateHash) {
  while (storage_.applied_index().value() < kCheckpointInterval) storage_.Apply(storage_.applied_index().Next(), Term(1), "");
  EXPECT_TRUE(storage_.LastCheckpoint().index.is_none());
}

}  // namespace
}  // namespace dfs::metadata
