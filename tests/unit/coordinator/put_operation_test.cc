#include "server/coordinator/put_operation.h"

#include <gtest/gtest.h>

#include "proto/wire_status.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::coordinator {
namespace {


// One full disk is nobody's business; two of three leave too few, and are called what they are.
TEST(PutOperation, FullDisksAreSaidToBeFull) {
  FakeNodes nodes;
  const absl::Status full = absl::ResourceExhaustedError("too little space is free on this node's disk");
  nodes.store.FailWrites(full);
  for (const std::size_t size : {std::size_t{1'000}, 3 * kMiB}) {
    EXPECT_TRUE(nodes.Put("f" + std::to_string(size), TestBytes(size, 1)).ok());
  }
  nodes.peers.stores[2].FailWrites(full);
  for (const std::size_t size : {std::size_t{1'000}, 3 * kMiB}) {
    const auto put = nodes.Put("g" + std::to_string(size), TestBytes(size, 1));
    EXPECT_EQ(put.status().code(), absl::StatusCode::kResourceExhausted) << put.status();
    const auto detail = DetailOf(put.status());
    ASSERT_TRUE(detail.has_value());
    EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_SPACE);
    EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
  }
}

TEST(PutOperation, StoresEverySizeOnThreeNodes) {
  FakeNodes nodes;
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{1}, std::size_t{511}, std::size_t{65'536}, 256 * 1024 - std::size_t{1},
        std::size_t{256} * 1024, 256 * 1024 + std::size_t{1}, 3 * kMiB + 17, 64 * kMiB,
        64 * kMiB + 1}) {
    const std::string bytes = TestBytes(size, size);
    const auto put = nodes.Put("f", bytes);
    ASSERT_TRUE(put.ok()) << size << ": " << put.status();
    EXPECT_EQ(put->info().size(), size);
    EXPECT_GE(put->replicas(), 2u) << size;  // the third is waited for a moment only
    EXPECT_EQ(*nodes.Get("f"), bytes) << size;
    const auto row = nodes.Row("f");
    nodes.Drain();
    EXPECT_EQ(static_cast<std::size_t>(row.chunks_size()), (size + 64 * kMiB - 1) / (64 * kMiB));
    for (int k = 0; k < row.chunks_size(); ++k) {
      const ChunkId id{FromWire(row.txn()), static_cast<std::uint32_t>(k)};
      EXPECT_TRUE(nodes.store.Find(id) && nodes.peers.stores[2].Find(id) &&
                  nodes.peers.stores[3].Find(id));
    }
  }
}

TEST(PutOperation, TwoOfThreeCopiesAreEnough) {
  FakeNodes nodes;
  nodes.peers.down = {3};
  for (const std::size_t size : {std::size_t{10}, 2 * kMiB}) {
    const auto put = nodes.Put("f", TestBytes(size, 1));
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(put->replicas(), 2u);
    // Rule R16: the set names three all the same.
    const auto row = nodes.Row("f");
    ASSERT_EQ(row.chunks(0).replicas_size(), 3);
    EXPECT_EQ(ReplicasOk(row), 2u);
  }
}

TEST(PutOperation, OneCopyIsNotEnoughAndNothingBecomesVisible) {
  FakeNodes nodes;
  ASSERT_TRUE(nodes.Put("f", "old").ok());
  nodes.peers.down = {2, 3};
  for (const std::size_t size : {std::size_t{10}, 2 * kMiB}) {
    const auto put = nodes.Put("f", TestBytes(size, 1));
    EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable);
    const auto detail = DetailOf(put.status());
    ASSERT_TRUE(detail);
    EXPECT_EQ(detail->reason(), api::ErrorDetail::NO_QUORUM);
    EXPECT_EQ(detail->outcome(), api::ErrorDetail::NOTHING_CHANGED);
    EXPECT_EQ(detail->missing_nodes_size(), 2);
    EXPECT_NE(put.status().message().find("n2"), std::string::npos);
  }
  nodes.peers.down.clear();
  EXPECT_EQ(*nodes.Get("f"), "old");
  EXPECT_FALSE(nodes.leader.done.back().second) << "the transaction is cancelled";
}

TEST(PutOperation, ASpareTakesThePlaceOfANodeThatRefuses) {
  FakeNodes nodes(5);
  nodes.leader.spares = {4, 5};
  nodes.peers.down = {2, 3};
  const auto put = nodes.Put("f", "small");
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_GE(nodes.peers.stores[4].count() + nodes.peers.stores[5].count(), 1u);  // and this node: two
}

TEST(PutOperation, ASpareCopiesTheChunkInWhichTooManyReplicasBreak) {
  for (const std::size_t broken_after : {std::size_t{0}, 3 * kMiB, 9 * kMiB}) {
    FakeNodes nodes(6);
    nodes.leader.spares = {4, 5, 6};
    nodes.peers.down = {4};  // the first spare is of no use either
    nodes.peers.breaks_after = {{2, broken_after}, {3, broken_after}};
    const std::string bytes = TestBytes(8 * kMiB, 7);
    const auto put = nodes.Put("f", bytes);
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(put->replicas(), 2u);
    const ChunkId id{FromWire(nodes.Row("f").txn()), 0};
    const std::vector<std::pair<std::uint32_t, ChunkId>> expected = {{5, id}};
    EXPECT_EQ(nodes.peers.Copied(), expected) << "one spare is enough";
    EXPECT_EQ(*nodes.Get("f"), bytes);
  }
}

TEST(PutOperation, ASpareTakesOverFromReplicasThatHang) {
  for (const std::size_t size : {12 * kMiB, 7 * kMiB}) {  // the client is held up; it waits for the end
    FakeNodes nodes(4);
    nodes.parts.progress_timeout = absl::Milliseconds(200);
    nodes.leader.spares = {4};
    nodes.peers.hangs_after = {{2, 3 * kMiB}, {3, 3 * kMiB}};
    const std::string bytes = TestBytes(size, 9);
    const auto put = nodes.Put("f", bytes);
    ASSERT_TRUE(put.ok()) << put.status();
    const std::vector<std::pair<std::uint32_t, ChunkId>> expected = {
        {4, ChunkId{FromWire(nodes.Row("f").txn()), 0}}};
    EXPECT_EQ(nodes.peers.Copied(), expected);
    EXPECT_EQ(*nodes.Get("f"), bytes);
  }
}

TEST(PutOperation, ASpareThatTookOverWritesTheChunksThatFollow) {
  FakeNodes nodes(5);
  nodes.leader.spares = {4, 5};
  nodes.peers.breaks_after = {{2, 3 * kMiB}, {3, 3 * kMiB}};
  const std::string bytes = TestBytes(64 * kMiB + 5 * kMiB, 8);
  const auto put = nodes.Put("f", bytes);
  ASSERT_TRUE(put.ok()) << put.status();
  const TxnId txn = FromWire(nodes.Row("f").txn());
  const std::vector<std::pair<std::uint32_t, ChunkId>> expected = {{4, ChunkId{txn, 0}}};
  EXPECT_EQ(nodes.peers.Copied(), expected);
  EXPECT_TRUE(nodes.peers.stores[4].Find(ChunkId{txn, 1}));
  EXPECT_EQ(*nodes.Get("f"), bytes);
}

TEST(PutOperation, NoSpareCanCopyAChunkThatNobodyHolds) {
  FakeNodes nodes(5);
  nodes.leader.spares = {4, 5};
  nodes.leader.replicas = {2, 3};
  nodes.peers.breaks_after = {{2, 3 * kMiB}, {3, 3 * kMiB}};
  const MonotonicTime start = nodes.parts.clock->Now();
  const auto put = nodes.Put("f", TestBytes(8 * kMiB, 7));
  EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_LT(nodes.parts.clock->Now() - start, absl::Seconds(5)) << "found at once, not by a timeout";
  EXPECT_TRUE(nodes.peers.Copied().empty());
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kNotFound);
}

// Appends `pieces` times the same MiB and returns the most that waited for replicas after any of them.
std::size_t PeakOfQueues(FakeNodes& nodes, PutOperation& put, int pieces) {
  const std::string bytes = TestBytes(kMiB, 6);
  const std::uint32_t crc = Crc32c(bytes.data(), bytes.size());
  std::size_t peak = 0;
  for (int i = 0; i < pieces; ++i) {
    EXPECT_TRUE(put.Append(Slices::CopyOf(bytes), crc).ok());
    peak = std::max(peak, nodes.parts.queued_bytes->load());
  }
  return peak;
}

TEST(PutOperation, AReplicaThatHangsHoldsABoundedPartOfTheFile) {
  FakeNodes nodes;
  // What is left of each chunk is too little to be cut off for.
  nodes.peers.hangs_after[3] = 33 * kMiB;
  {
    PutOperation put(nodes.parts);
    api::PutHeader header;
    header.set_name("f");
    *header.mutable_request_id() = nodes.NextId();
    ASSERT_TRUE(put.Begin(header).ok());
    const std::size_t peak = PeakOfQueues(nodes, put, 3 * 64);
    EXPECT_GE(peak, 31 * kMiB) << "the case that is meant";
    EXPECT_LE(peak, (32 + 3 * 4 + 3) * kMiB) << "rule R12 holds for the chunks of a put together";
  }
  nodes.Drain();
  EXPECT_EQ(nodes.parts.queued_bytes->load(), 0u) << "a put that is given up leaves nothing queued";
}

TEST(PutOperation, ALateCopyIsReportedAfterTheCommit) {
  FakeNodes nodes;
  nodes.peers.silent = {3};
  const auto put = nodes.Put("f", "small");
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->replicas(), 2u);
  EXPECT_TRUE(nodes.leader.reported.empty());
  nodes.peers.Release();
  ASSERT_EQ(nodes.leader.reported.size(), 1u);
  EXPECT_EQ(nodes.leader.reported[0].ack().node_id(), 3u);
  EXPECT_EQ(nodes.leader.reported[0].state(), api::OK);
  EXPECT_EQ(FromWire(nodes.leader.reported[0].chunk().txn()), FromWire(nodes.Row("f").txn()));
}

TEST(PutOperation, RebeginRelinksAndTheClientIsNotTold) {
  FakeNodes nodes;
  nodes.leader.rebegins = 2;
  for (const std::size_t size : {std::size_t{0}, std::size_t{10}, 2 * kMiB}) {
    nodes.leader.rebegins = 2;
    const std::string bytes = TestBytes(size, 3);
    const auto put = nodes.Put("f", bytes);
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(FromWire(nodes.Row("f").txn()).term, nodes.leader.term);
    EXPECT_EQ(*nodes.Get("f"), bytes);
    EXPECT_GE(put->replicas(), 2u);
  }
  EXPECT_GE(nodes.leader.holders_named.back().size(), 2u);
}

TEST(PutOperation, RebeginDoesNotWaitForAHolderThatHangs) {
  FakeNodes nodes;
  PutOperation put(nodes.parts);
  api::PutHeader header;
  header.set_name("f");
  *header.mutable_request_id() = nodes.NextId();
  ASSERT_TRUE(put.Begin(header).ok());
  const std::string bytes = TestBytes(2 * kMiB, 4);
  const std::uint32_t crc = Crc32c(bytes.data(), bytes.size());
  ASSERT_TRUE(put.Append(Slices::CopyOf(bytes), crc).ok());
  nodes.leader.rebegins = 1;
  nodes.leader.before_rebegin = [&] { nodes.Drain(); };  // all three copies are there by then
  nodes.peers.silent = {2};
  api::PutFinish finish;
  finish.set_size(bytes.size());
  finish.set_crc32c(crc);
  const auto done = put.Finish(finish);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->replicas(), 2u) << "committed without node 2";
  EXPECT_TRUE(nodes.leader.reported.empty());
  nodes.peers.Release();
  // Its word comes late, for the transaction that the put was committed with.
  ASSERT_EQ(nodes.leader.reported.size(), 1u);
  EXPECT_EQ(nodes.leader.reported[0].ack().node_id(), 2u);
  EXPECT_EQ(FromWire(nodes.leader.reported[0].chunk().txn()), FromWire(nodes.Row("f").txn()));
}

TEST(PutOperation, RebeginGoesOnWithoutAHolderThatIsGone) {
  FakeNodes nodes;
  nodes.peers.silent = {};
  PutOperation put(nodes.parts);
  api::PutHeader header;
  header.set_name("f");
  *header.mutable_request_id() = nodes.NextId();
  ASSERT_TRUE(put.Begin(header).ok());
  const std::string bytes = TestBytes(2 * kMiB, 4);
  ASSERT_TRUE(put.Append(Slices::CopyOf(bytes), Crc32c(bytes.data(), bytes.size())).ok());
  nodes.leader.rebegins = 1;
  api::PutFinish finish;
  finish.set_size(bytes.size());
  finish.set_crc32c(Crc32c(bytes.data(), bytes.size()));
  nodes.peers.down = {2};
  const auto done = put.Finish(finish);
  ASSERT_TRUE(done.ok()) << done.status();
  EXPECT_EQ(done->replicas(), 2u);
  EXPECT_EQ(*nodes.Get("f"), bytes);
}

TEST(PutOperation, WrongBytesAreRefused) {
  FakeNodes nodes;
  const auto start = [&](PutOperation& put) {
    api::PutHeader header;
    header.set_name("f");
    *header.mutable_request_id() = nodes.NextId();
    ASSERT_TRUE(put.Begin(header).ok());
  };
  for (const std::size_t size : {std::size_t{10}, 2 * kMiB}) {
    const std::string bytes = TestBytes(size, 5);
    const std::uint32_t crc = Crc32c(bytes.data(), bytes.size());
    {
      PutOperation put(nodes.parts);
      start(put);
      EXPECT_EQ(put.Append(Slices::CopyOf(bytes), crc ^ 1).code(), absl::StatusCode::kDataLoss);
    }
    {
      PutOperation put(nodes.parts);
      start(put);
      ASSERT_TRUE(put.Append(Slices::CopyOf(bytes), crc).ok());
      api::PutFinish finish;
      finish.set_size(size);
      finish.set_crc32c(crc ^ 1);
      EXPECT_EQ(put.Finish(finish).status().code(), absl::StatusCode::kDataLoss);
    }
    {
      PutOperation put(nodes.parts);
      start(put);
      ASSERT_TRUE(put.Append(Slices::CopyOf(bytes), crc).ok());
      api::PutFinish finish;
      finish.set_size(size + 1);
      finish.set_crc32c(crc);
      EXPECT_EQ(put.Finish(finish).status().code(), absl::StatusCode::kInvalidArgument);
    }
  }
  EXPECT_EQ(nodes.Get("f").status().code(), absl::StatusCode::kNotFound);
}

TEST(PutOperation, AnAnnouncedSizeThatLiesIsRefused) {
  FakeNodes nodes;
  PutOperation put(nodes.parts);
  api::PutHeader header;
  header.set_name("f");
  header.set_size(3);
  *header.mutable_request_id() = nodes.NextId();
  ASSERT_TRUE(put.Begin(header).ok());
  EXPECT_EQ(put.Append(Slices::CopyOf("four"), Crc32c("four", 4)).code(),
            absl::StatusCode::kInvalidArgument);
}

TEST(PutOperation, TheSameRequestHappensOnce) {
  FakeNodes nodes;
  const auto first = nodes.Put("f", "one");
  ASSERT_TRUE(first.ok());
  --nodes.sequence;  // the client repeats it, with the same id
  const auto again = nodes.Put("f", "one");
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(again->info().version(), first->info().version());
}

TEST(PutOperation, PreconditionsAreKept) {
  FakeNodes nodes;
  const auto conditional = [&](std::uint64_t version) {
    PutOperation put(nodes.parts);
    api::PutHeader header;
    header.set_name("f");
    header.set_if_version(version);
    *header.mutable_request_id() = nodes.NextId();
    EXPECT_TRUE(put.Begin(header).ok());
    return put.Finish(api::PutFinish());
  };
  const auto first = conditional(0);
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(conditional(0).status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_TRUE(conditional(first->info().version()).ok());
  EXPECT_EQ(conditional(first->info().version()).status().code(),
            absl::StatusCode::kFailedPrecondition);
}

}  // namespace
}  // namespace dfs::coordinator
