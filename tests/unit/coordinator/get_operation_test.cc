#include "server/coordinator/get_operation.h"

#include <gtest/gtest.h>

#include "proto/wire_status.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::coordinator {
namespace {


TEST(GetOperation, ReadsRangesOfAllKinds) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(66 * kMiB + 123, 1);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  struct Range {
    std::uint64_t offset;
    std::uint64_t length;
  };
  for (const Range range : {Range{0, 1}, Range{0, 65'536}, Range{1, 65'536}, Range{65'535, 2},
                            Range{64 * kMiB - 1, 2}, Range{64 * kMiB, 1}, Range{5 * kMiB, 60 * kMiB},
                            Range{bytes.size() - 1, 100}, Range{bytes.size(), 5}, Range{7, 0}}) {
    api::GetRequest request;
    request.set_name("f");
    request.set_offset(range.offset);
    request.set_length(range.length);
    const auto got = nodes.Get(request);
    ASSERT_TRUE(got.ok()) << got.status();
    EXPECT_EQ(*got, bytes.substr(range.offset, range.length)) << range.offset;
  }
  api::GetRequest beyond;
  beyond.set_name("f");
  beyond.set_offset(bytes.size() + 1);
  EXPECT_EQ(nodes.Get(beyond).status().code(), absl::StatusCode::kOutOfRange);
}

// Rule R17.
TEST(GetOperation, PinsWhatItReadsForAWhileUntilItEnds) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("small", TestBytes(1'000, 1)).ok());
  ASSERT_TRUE(nodes.Put("large", TestBytes(3 * kMiB, 2)).ok());
  nodes.Drain();
  const TxnId txn = FromWire(nodes.Row("large").txn());
  {
    GetOperation get(nodes.parts);
    api::GetRequest request;
    request.set_name("large");
    ASSERT_TRUE(get.Begin(request).ok());
    EXPECT_EQ(nodes.leader.pins[txn], 1);
    ASSERT_TRUE(get.Stream([](const Slices&, std::uint64_t, std::uint32_t) { return true; }).ok());
    EXPECT_EQ(nodes.leader.pins[txn], 1);
  }
  EXPECT_EQ(nodes.leader.pins[txn], 0);
  ASSERT_TRUE(nodes.Get("small").ok());
  EXPECT_FALSE(nodes.leader.pins.contains(FromWire(nodes.Row("small").txn()))) << "read at once";
}

TEST(GetOperation, ADamagedCopyIsNeverServedAndIsReported) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB, 2);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  const ChunkId id{FromWire(nodes.Row("f").txn()), 0};
  nodes.store.Damage(id);
  EXPECT_EQ(*nodes.Get("f"), bytes);
  EXPECT_FALSE(nodes.peers.read_from.empty());
  ASSERT_EQ(nodes.leader.reported.size(), 1u);
  EXPECT_EQ(nodes.leader.reported[0].state(), api::CORRUPT);
  nodes.peers.stores[2].Damage(id);
  nodes.peers.stores[3].Damage(id);
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kDataLoss);
}

// Feature 22.
TEST(GetOperation, ASourceThatBreaksIsReplacedMidway) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB + 5, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.store.Drop(ChunkId{FromWire(nodes.Row("f").txn()), 0});
  nodes.peers.cut_reads_after = kMiB;
  EXPECT_EQ(*nodes.Get("f"), bytes);
  EXPECT_EQ(nodes.peers.read_from.size(), 2u);
}

// The first source hangs midway: it is left soon, and nothing is sent twice.
TEST(GetOperation, ASourceThatHangsIsReplacedSoon) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB + 5, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.store.Drop(ChunkId{FromWire(nodes.Row("f").txn()), 0});
  // The row names first whoever acknowledged before the commit.
  std::vector<std::uint32_t> sources;
  const auto row = nodes.Row("f");
  for (const auto& replica : row.chunks(0).replicas()) {
    if (replica.node_id() != 1) sources.push_back(replica.node_id());
  }
  ASSERT_EQ(sources.size(), 2u);
  nodes.peers.slow_reads[sources[0]] = {kMiB, absl::Hours(1)};
  EXPECT_EQ(*nodes.Get("f"), bytes);
  ASSERT_EQ(nodes.peers.read_from, sources);
  EXPECT_LE(nodes.peers.read_timeouts[0], absl::Seconds(1));
}

TEST(GetOperation, WhenAllSourcesAreSlowTheyAreGivenMoreTime) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB + 5, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.store.Drop(ChunkId{FromWire(nodes.Row("f").txn()), 0});
  for (const std::uint32_t node : {2U, 3U}) {
    nodes.peers.slow_reads[node] = {0, node == 2 ? absl::Hours(1) : absl::Seconds(5)};
  }
  EXPECT_EQ(*nodes.Get("f"), bytes);
  EXPECT_EQ(nodes.peers.read_from.back(), 3u);
  nodes.peers.slow_reads[3].needs = absl::Hours(1);
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kUnavailable) << "not for ever";
}

// A source that stops again and again but brings bytes each time is not given up.
TEST(GetOperation, AnySourceThatBringsBytesIsGoodEnough) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(6 * kMiB, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.store.Drop(ChunkId{FromWire(nodes.Row("f").txn()), 0});
  nodes.peers.down = {3};
  nodes.peers.slow_reads[2] = {kMiB / 4, absl::Hours(1)};
  EXPECT_EQ(*nodes.Get("f"), bytes);
}

TEST(GetOperation, TheOwnDiskThatHangsIsLeft) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB + 5, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.store.HoldReads();
  EXPECT_EQ(*nodes.Get("f"), bytes);
  EXPECT_EQ(nodes.peers.read_from.size(), 1u);
  nodes.store.ReleaseReads();
}

// Each opening may keep a thread of the node for as long as its disk hangs.
TEST(GetOperation, OpensAFewChunksAheadAndNoneOnADiskThatIsKnownToHang) {
  FakeNodes nodes;
  nodes.parts.chunk_bytes = kMiB;
  ASSERT_TRUE(nodes.Put("f", TestBytes(7 * kMiB, 3)).ok());
  nodes.Drain();
  api::GetRequest request;
  request.set_name("f");
  const auto opened_ahead = [&] {
    const std::size_t before = nodes.store.opened();
    GetOperation get(nodes.parts);
    get.PrepareHandOver();
    EXPECT_TRUE(get.Begin(request).ok());
    nodes.Drain();
    return nodes.store.opened() - before;
  };
  EXPECT_EQ(opened_ahead(), 4u);
  nodes.parts.is_slow = [](NodeId node) { return node == NodeId(1); };
  EXPECT_EQ(opened_ahead(), 0u);
  GetOperation get(nodes.parts);
  get.PrepareHandOver();
  ASSERT_TRUE(get.Begin(request).ok());
  const std::size_t before = nodes.store.opened();
  EXPECT_TRUE(get.HandOver([](const auto&) { return "ticket"; }).empty());
  EXPECT_EQ(nodes.store.opened(), before);
}

TEST(GetOperation, ANodeThatIsKnownToBeSlowIsAskedLast) {
  FakeNodes nodes;
  const std::string bytes = TestBytes(3 * kMiB + 5, 3);
  ASSERT_TRUE(nodes.Put("f", bytes).ok());
  nodes.Drain();
  nodes.parts.is_slow = [](NodeId node) { return node != NodeId(3); };
  EXPECT_EQ(*nodes.Get("f"), bytes);
  EXPECT_EQ(nodes.peers.read_from, std::vector<std::uint32_t>{3});
}

TEST(GetOperation, NeedsTwoConfirmations) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  nodes.Drain();
  nodes.peers.down = {3};
  EXPECT_TRUE(nodes.Get("f").ok());
  nodes.peers.down = {2, 3};
  const auto got = nodes.Get("f");
  EXPECT_EQ(got.status().code(), absl::StatusCode::kUnavailable);
  const auto detail = DetailOf(got.status());
  ASSERT_TRUE(detail);
  EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_QUORUM);
  EXPECT_EQ(detail->missing_nodes_size(), 2);
  api::GetRequest eventual;
  eventual.set_name("f");
  eventual.set_consistency(api::EVENTUAL);
  EXPECT_EQ(*nodes.Get(eventual), "bytes");
}

TEST(GetOperation, AnEmptyFileIsConfirmedByMembersThatCameLater) {
  FakeNodes nodes(1);
  nodes.leader.replicas = {1};
  ASSERT_TRUE(nodes.Put("empty", "").ok());
  ASSERT_EQ(nodes.Row("empty").empty_set_size(), 1);
  nodes.AddMember(2);
  nodes.AddMember(3);
  nodes.peers.down = {2, 3};
  EXPECT_EQ(nodes.Get("empty").status().code(), absl::StatusCode::kUnavailable);
  nodes.peers.down = {2};
  EXPECT_EQ(*nodes.Get("empty"), "");
}

TEST(CompleteEmptySet, NamesMembersOnlyAndAsManyAsThereAreReplicas) {
  FakeNodes nodes(5);
  nodes.leader.replicas = {1, 4, 5};
  ASSERT_TRUE(nodes.Put("empty", "").ok());
  ASSERT_TRUE(nodes.Put("full", "bytes").ok());
  const auto view = nodes.machine.View();
  const auto bucket = *view->FindBucket("default");
  rpc::VersionRow row = nodes.Row("empty");
  const auto set = [&] {
    CompleteEmptySet(*view, bucket, &row);
    return std::vector<std::uint32_t>(row.empty_set().begin(), row.empty_set().end());
  };
  EXPECT_EQ(set(), (std::vector<std::uint32_t>{1, 4, 5})) << "what the put chose stays";
  row.set_empty_set(1, 77);  // a node that has gone
  EXPECT_EQ(set(), (std::vector<std::uint32_t>{1, 5, 2}));
  rpc::VersionRow full = nodes.Row("full");
  CompleteEmptySet(*view, bucket, &full);
  EXPECT_EQ(full.empty_set_size(), 0);
}

TEST(GetOperation, ALaggingReplicaDoesNotConfirm) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  nodes.Drain();
  nodes.peers.verdicts = {{2, rpc::ConfirmResponse::LAGGING}, {3, rpc::ConfirmResponse::LAGGING}};
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kUnavailable);
  nodes.peers.verdicts.erase(3);
  EXPECT_TRUE(nodes.Get("f").ok());
}

TEST(GetOperation, APurgedVersionBeginsAgainAndEnds) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  nodes.Drain();
  nodes.peers.verdicts = {{2, rpc::ConfirmResponse::PURGED}, {3, rpc::ConfirmResponse::PURGED}};
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kAborted);
}

TEST(GetOperation, ConfirmHereAnswersFromTheState) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  nodes.Drain();
  const auto row = nodes.Row("f");
  rpc::ConfirmItem item;
  item.set_version(row.number());
  *item.mutable_content_hash() = row.content_hash();
  *item.mutable_txn() = row.txn();
  EXPECT_EQ(ConfirmHere(nodes.parts, LogIndex(1), item), rpc::ConfirmResponse::CONFIRMED);
  item.mutable_content_hash()->set_low(row.content_hash().low() ^ 1);
  EXPECT_NE(ConfirmHere(nodes.parts, LogIndex(1), item), rpc::ConfirmResponse::CONFIRMED);
  item.mutable_txn()->set_sequence(999);
  EXPECT_EQ(ConfirmHere(nodes.parts, LogIndex(1), item), rpc::ConfirmResponse::PURGED);
  nodes.parts.wait_applied = [](LogIndex, absl::Duration) {
    return absl::DeadlineExceededError("lags");
  };
  EXPECT_EQ(ConfirmHere(nodes.parts, LogIndex(1'000), item), rpc::ConfirmResponse::LAGGING);
}

// A storage-only node says what one says that knows the log.
TEST(GetOperation, AStorageOnlyNodeConfirmsByTheWordOfAnother) {
  FakeNodes nodes(5);
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  metadata::MemoryKeyValueStore rows;
  metadata::MetadataMachine directory(&rows, metadata::Keeps::kDirectory);
  ASSERT_TRUE(metadata::AdoptDirectory(nodes.machine.Directory(), &rows).ok());
  nodes.parts.machine = &directory;
  nodes.parts.file_holders = [] { return std::vector<NodeId>{NodeId(2), NodeId(3)}; };
  const rpc::ConfirmItem item;
  const auto confirm = [&] { return ConfirmHere(nodes.parts, LogIndex(1), item); };
  EXPECT_EQ(confirm(), rpc::ConfirmResponse::CONFIRMED);
  nodes.peers.verdicts[2] = rpc::ConfirmResponse::PURGED;
  EXPECT_EQ(confirm(), rpc::ConfirmResponse::PURGED);
  nodes.peers.verdicts[2] = rpc::ConfirmResponse::LAGGING;
  nodes.peers.verdicts[3] = rpc::ConfirmResponse::PURGED;
  EXPECT_EQ(confirm(), rpc::ConfirmResponse::PURGED) << "the next one is asked";
  nodes.peers.down = {2};
  EXPECT_EQ(confirm(), rpc::ConfirmResponse::PURGED);
  nodes.peers.down = {2, 3};
  EXPECT_EQ(confirm(), rpc::ConfirmResponse::LAGGING) << "nobody knows";
}

// It hands reads of files on, and knows the buckets itself.
TEST(GetOperation, AStorageOnlyNodeReadsNoFilesAndFindsBuckets) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  metadata::MemoryKeyValueStore rows;
  metadata::MetadataMachine directory(&rows, metadata::Keeps::kDirectory);
  nodes.parts.machine = &directory;
  absl::Status refreshed = absl::UnavailableError("nobody answers");
  nodes.parts.refresh_directory = [&](absl::Duration) {
    return refreshed.ok() ? metadata::AdoptDirectory(nodes.machine.Directory(), &rows) : refreshed;
  };
  for (const auto consistency : {api::STRONG, api::LEADER, api::EVENTUAL}) {
    EXPECT_TRUE(IsLagging(ReadView(nodes.parts, consistency).status()));
  }
  EXPECT_EQ(FindBucketOfChange(nodes.parts, "").status(), refreshed);
  EXPECT_TRUE(IsLagging(ReadDirectoryView(nodes.parts, api::EVENTUAL).status()));
  refreshed = absl::OkStatus();
  EXPECT_TRUE(FindBucketOfChange(nodes.parts, "").ok());
  EXPECT_TRUE(absl::IsNotFound(FindBucketOfChange(nodes.parts, "none").status()));
  refreshed = absl::UnavailableError("nobody answers");
  EXPECT_TRUE(FindBucketOfChange(nodes.parts, "").ok()) << "what is known needs nobody";
}

TEST(GetOperation, OverwrittenBytesAreTheNewOnes) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "old").ok());
  ASSERT_TRUE(nodes.Put("f", "new").ok());
  EXPECT_EQ(*nodes.Get("f"), "new");
  EXPECT_EQ(nodes.Get("g").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(nodes.Get("../f").status().code(), absl::StatusCode::kInvalidArgument);
}

// A node that is behind: what it has not applied yet.
TEST(FindBucketOfChange, LooksOnceMoreAsOfAReadIndex) {
  FakeNodes nodes;
  metadata::MemoryKeyValueStore rows;
  rows.Replace(nodes.rows.rows());
  metadata::MetadataMachine behind(&rows);
  nodes.parts.machine = &behind;
  nodes.parts.wait_applied = [&](LogIndex, absl::Duration) {
    rows.Replace(nodes.rows.rows());
    behind.Reload();
    return absl::OkStatus();
  };
  rpc::Command make;
  *make.mutable_make_bucket()->mutable_request_id() = nodes.NextId();
  make.mutable_make_bucket()->set_name("new");
  ASSERT_EQ(nodes.leader.Apply(make).code(), rpc::CommandResult::DONE);
  ASSERT_FALSE(behind.View()->FindBucket("new"));

  const auto found = FindBucketOfChange(nodes.parts, "new");
  ASSERT_TRUE(found.ok()) << found.status();
  EXPECT_EQ(found->name(), "new");
  EXPECT_TRUE(absl::IsNotFound(FindBucketOfChange(nodes.parts, "none").status()));
  nodes.leader.has_quorum = false;
  EXPECT_TRUE(absl::IsUnavailable(FindBucketOfChange(nodes.parts, "none").status()))
      << "who cannot know does not say that there is none";
  EXPECT_TRUE(FindBucketOfChange(nodes.parts, "").ok());
}

// It has not even heard of itself: how many must acknowledge comes from the state that has the bucket.
TEST(FindBucketOfChange, APutAtANodeThatHasAppliedNothingCountsAsMuchAsAnother) {
  FakeNodes nodes;
  metadata::MemoryKeyValueStore rows;
  metadata::MetadataMachine behind(&rows);
  nodes.parts.machine = &behind;
  nodes.parts.wait_applied = [&](LogIndex, absl::Duration) {
    rows.Replace(nodes.rows.rows());
    behind.Reload();
    return absl::OkStatus();
  };
  ASSERT_EQ(behind.View()->member_count(), 0u);
  const auto put = nodes.Put("f", std::string(3'000'000, 'x'));
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_GE(put->replicas(), 2u);
}

// "No such file" would be a state that there never was: the cluster began with a bucket.
TEST(GetOperation, ANodeThatHasAppliedNothingGivesNoEventualAnswer) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "bytes").ok());
  metadata::MemoryKeyValueStore rows;
  metadata::MetadataMachine behind(&rows);
  nodes.parts.machine = &behind;
  api::GetRequest eventual;
  eventual.set_name("f");
  eventual.set_consistency(api::EVENTUAL);
  EXPECT_TRUE(absl::IsUnavailable(nodes.Get(eventual).status())) << nodes.Get(eventual).status();
  EXPECT_TRUE(absl::IsUnavailable(ReadView(nodes.parts, api::EVENTUAL).status()));
  rows.Replace(nodes.rows.rows());
  behind.Reload();
  EXPECT_EQ(*nodes.Get(eventual), "bytes");
}

// Rule R16 of an older version that is kept; with R of its bucket.
TEST(GetOperation, OlderVersionsAreReadByTheirNumbers) {
  FakeNodes nodes;
  rpc::Command make;
  *make.mutable_make_bucket()->mutable_request_id() = nodes.NextId();
  make.mutable_make_bucket()->set_name("kept");
  make.mutable_make_bucket()->mutable_options()->set_versions_kept(2);
  ASSERT_EQ(nodes.leader.Apply(make).code(), rpc::CommandResult::DONE);
  std::vector<std::uint64_t> versions;
  for (const char* content : {"one", "two", "three"}) {
    const auto done = nodes.Put("f", content, kMiB, "kept");
    ASSERT_TRUE(done.ok()) << done.status();
    versions.push_back(done->info().version());
  }
  const auto get = [&](std::uint64_t version) {
    api::GetRequest request;
    request.set_bucket("kept");
    request.set_name("f");
    request.set_version(version);
    return nodes.Get(request);
  };
  EXPECT_TRUE(absl::IsNotFound(get(versions[0]).status())) << "in the trash";
  EXPECT_EQ(*get(versions[1]), "two");
  EXPECT_EQ(*get(versions[2]), "three");
  nodes.peers.down = {2, 3};
  EXPECT_TRUE(absl::IsUnavailable(get(versions[1]).status())) << "nobody confirms it";
}

}  // namespace
}  // namespace dfs::coordinator
