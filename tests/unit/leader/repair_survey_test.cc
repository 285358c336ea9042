#include "server/leader/repair_survey.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "server/leader/repair_pace.h"
#include "tests/unit/leader/repair_chunks.h"
#include "tests/unit/leader/test_start.h"

namespace dfs::leader {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::uint64_t> Sequences(const std::vector<ChunkId>& chunks) {
  std::vector<std::uint64_t> sequences;
  for (const ChunkId& chunk : chunks) sequences.push_back(chunk.txn.sequence);
  return sequences;
}

const std::map<NodeId, CopyState> kOneLeft = {
    {NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(3), kMissing}};
const std::map<NodeId, CopyState> kTwoLeft = {
    {NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kMissing}};
const std::map<NodeId, CopyState> kThree = {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(3), kOk}};

TEST(RepairSurvey, OneCopyLeftGoesBeforeTwoAmongAllVersions) {
  const RepairMembers members(MembersWithRoom(3));
  RepairSurvey survey;
  for (std::uint64_t i = 1; i <= 5; ++i) survey.Add(Chunk(i, kTwoLeft), members, false);
  EXPECT_THAT(survey.Take(10), IsEmpty()) << "one with a single copy may still be found";
  survey.Add(Chunk(6, kOneLeft), members, false);
  EXPECT_THAT(Sequences(survey.Take(10)), ElementsAre(6u)) << "it need not wait";
  survey.Add(Chunk(7, kOneLeft), members, false);
  survey.Finish();
  EXPECT_THAT(Sequences(survey.Take(3)), ElementsAre(7u, 1u, 2u));
  EXPECT_EQ(survey.queued(), 3u);
}

// Two copies before those with one: the queue is full when these come.
TEST(RepairSurvey, AFullQueueGivesUpTheLeastEndangeredFirst) {
  auto candidates = MembersWithRoom(4);
  candidates[3].is_withdrawn = true;
  const RepairMembers members(candidates);
  RepairSurvey survey(4);
  IncompleteChunk trashed = Chunk(1, {{NodeId(4), kOk}});
  trashed.is_trashed = true;
  for (std::uint64_t i = 1; i <= 6; ++i) {
    trashed.chunk.txn.sequence = i;
    survey.Add(trashed, members, false);
  }
  EXPECT_EQ(survey.queued(), 4u);
  for (std::uint64_t i = 11; i <= 13; ++i) survey.Add(Chunk(i, kTwoLeft), members, false);
  EXPECT_EQ(survey.queued(), 4u);
  for (std::uint64_t i = 21; i <= 22; ++i) survey.Add(Chunk(i, kOneLeft), members, false);
  EXPECT_EQ(survey.queued(), 4u);
  EXPECT_EQ(survey.totals().chunks_incomplete, 11u) << "all are counted";
  EXPECT_THAT(Sequences(survey.Take(10)), ElementsAre(21u, 22u));
  survey.Finish();
  EXPECT_THAT(Sequences(survey.Take(10)), ElementsAre(11u, 12u)) << "and none of the trash";
  EXPECT_EQ(survey.queued(), 0u);
}

TEST(RepairSurvey, AFullQueueKeepsWhatIsAsEndangeredAsTheNewOne) {
  const RepairMembers members(MembersWithRoom(3));
  RepairSurvey survey(2);
  for (std::uint64_t i = 1; i <= 3; ++i) survey.Add(Chunk(i, kOneLeft), members, false);
  survey.Add(Chunk(4, kTwoLeft), members, false);
  survey.Finish();
  EXPECT_THAT(Sequences(survey.Take(10)), ElementsAre(1u, 2u));
}

TEST(RepairSurvey, WhatIsInTheTrashIsHandedOverAndNoAlarm) {
  auto candidates = MembersWithRoom(3);
  candidates[0].is_withdrawn = true;
  IncompleteChunk trashed = Chunk(1, {{NodeId(1), kOk}});
  trashed.is_trashed = true;
  trashed.replicas_wanted = 1;
  RepairSurvey live;
  live.Add(trashed, RepairMembers(candidates), false);
  EXPECT_EQ(live.totals().chunks_incomplete, 1u);
  EXPECT_EQ(live.totals().chunks_one_copy, 0u);
  EXPECT_EQ(live.totals().handovers.at(NodeId(1)).chunks, 1u);
  EXPECT_EQ(live.totals().handovers.at(NodeId(1)).chunks_stuck, 0u);
  EXPECT_EQ(live.queued(), 1u);
  candidates[0].is_usable = false;
  RepairSurvey dead;
  dead.Add(trashed, RepairMembers(candidates), false);
  EXPECT_EQ(dead.totals().chunks_incomplete, 0u) << "nobody can do anything about it";
  EXPECT_EQ(dead.totals().handovers.at(NodeId(1)).chunks, 1u);
  EXPECT_EQ(dead.totals().handovers.at(NodeId(1)).chunks_stuck, 1u);
  EXPECT_EQ(dead.totals().handovers.at(NodeId(1)).obstacle, Obstacle::kNoLiveSource);
  candidates[0].is_withdrawn = false;
  RepairSurvey away;
  away.Add(trashed, RepairMembers(candidates), false);
  EXPECT_TRUE(away.totals().handovers.empty());
}

TEST(RepairSurvey, CountsWhatIsMissing) {
  auto candidates = MembersWithRoom(4);
  candidates[3].is_usable = false;
  const RepairMembers members(candidates);
  RepairSurvey survey;
  survey.Add(Chunk(1, kThree), members, false);
  survey.Add(Chunk(2, kOneLeft), members, false);
  survey.Add(Chunk(3, kTwoLeft), members, true);
  survey.Add(Chunk(4, {{NodeId(4), kOk}, {NodeId(2), kMissing}, {NodeId(3), kMissing}}), members,
             false);
  const SurveyTotals& totals = survey.totals();
  EXPECT_EQ(totals.chunks_incomplete, 3u);
  EXPECT_EQ(totals.copies_missing, 5u);
  EXPECT_EQ(totals.bytes_missing, 50u);
  EXPECT_EQ(totals.chunks_one_copy, 1u);
  EXPECT_EQ(totals.chunks_no_copy, 1u);
  EXPECT_EQ(totals.chunks_waiting, 1u);
  EXPECT_EQ(survey.queued(), 1u) << "what is under way or cannot be made is counted only";
}

TEST(RepairSurvey, CopiesOfAnOutNodeAreMissing) {
  auto candidates = MembersWithRoom(4);
  candidates[2].is_withdrawn = true;
  candidates[2].is_usable = false;
  RepairSurvey survey;
  survey.Add(Chunk(1, kThree), RepairMembers(candidates), false);
  EXPECT_EQ(survey.totals().copies_missing, 1u);
  EXPECT_EQ(survey.queued(), 1u);
}

TEST(RepairSurvey, TellsWhatANodeHasToHandOver) {
  auto four = MembersWithRoom(4);
  four[2].is_withdrawn = true;
  RepairSurvey survey;
  survey.Add(Chunk(1, kThree), RepairMembers(four), false);
  survey.Add(Chunk(2, {{NodeId(1), kOk}, {NodeId(2), kOk}, {NodeId(4), kOk}}), RepairMembers(four),
             false);
  ASSERT_EQ(survey.totals().handovers.size(), 1u);
  EXPECT_EQ(survey.totals().handovers.at(NodeId(3)).chunks, 1u);
  EXPECT_EQ(survey.totals().handovers.at(NodeId(3)).bytes, 10u);
  // With two others there is nobody to hand a third copy to.
  auto three = MembersWithRoom(3);
  three[2].is_withdrawn = true;
  RepairSurvey small;
  small.Add(Chunk(1, kThree), RepairMembers(three), false);
  EXPECT_TRUE(small.totals().handovers.empty());
  small.Add(Chunk(2, {{NodeId(1), kOk}, {NodeId(2), kMissing}, {NodeId(3), kOk}}),
            RepairMembers(three), false);
  EXPECT_EQ(small.totals().handovers.size(), 1u);
}

// ---- pace ----

constexpr std::uint64_t kChunk = 64'000'000;

TEST(RepairPace, UnlimitedWhileNoClientIsAtWork) {
  RepairPace pace;
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(pace.TryStart(kChunk, kStart));
  EXPECT_EQ(pace.InFlightMax(16, kStart), 16u);
  EXPECT_EQ(pace.CopyBytesPerSecond(kStart), 0u);
}

TEST(RepairPace, YieldsToClientsAndComesBack) {
  RepairPace pace;
  for (int i = 0; i < 100; ++i) {
    pace.RecordMade(kChunk, kStart + i * absl::Milliseconds(100));  // 640 MB/s
  }
  MonotonicTime now = kStart + absl::Seconds(10);
  const double fastest = static_cast<double>(pace.BytesPerSecond(now));
  EXPECT_NEAR(fastest, 640e6, 70e6);
  std::uint64_t started = 0;
  for (int i = 0; i < 100; ++i, now += absl::Milliseconds(100)) {
    pace.RecordClient(now);
    while (pace.TryStart(kChunk, now)) started += kChunk;
  }
  EXPECT_TRUE(pace.IsYielding(now));
  EXPECT_LT(pace.InFlightMax(16, now), 16u);
  // No burst at full speed: all copies at once have the yielded rate.
  EXPECT_NEAR(static_cast<double>(pace.CopyBytesPerSecond(now)),
              fastest / RepairPace::kYieldedPart / static_cast<double>(RepairPace::kInFlightYielding), 3e6);
  EXPECT_NEAR(static_cast<double>(started), 10 * fastest / RepairPace::kYieldedPart, 0.2 * 10 * fastest / 4);
  now += RepairPace::kClientWindow + absl::Milliseconds(1);
  EXPECT_FALSE(pace.IsYielding(now));
  for (int i = 0; i < 1'000; ++i) EXPECT_TRUE(pace.TryStart(kChunk, now));
}

TEST(RepairPace, GoesOnHoweverBusyClientsAre) {
  RepairPace pace;
  std::uint64_t started = 0;
  MonotonicTime now = kStart;
  for (int i = 0; i < 600; ++i, now += absl::Milliseconds(100)) {
    pace.RecordClient(now);
    while (pace.TryStart(kChunk, now)) started += kChunk;
  }
  EXPECT_GE(started, 59 * RepairPace::kBytesPerSecondMin);
  // So fast that it ends before its order does; and small ones are not made one by one.
  EXPECT_EQ(pace.CopyBytesPerSecond(now), RepairPace::kCopyBytesPerSecondMin);
  EXPECT_EQ(pace.InFlightMax(16, now), RepairPace::kInFlightYielding);
}

}  // namespace
}  // namespace dfs::leader
