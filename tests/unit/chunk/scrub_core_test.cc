// The scrubber's decisions as transcripts, and its promise: no block goes unchecked for longer than the period.
#include "server/chunk/scrub_core.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace dfs::chunk {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
const absl::Time kWall = absl::FromUnixSeconds(1'700'000'000);

ChunkInfo Chunk(std::uint64_t sequence, std::uint64_t size) {
  return {{{Term(1), sequence}, 0}, size, {sequence, 7}};
}
std::string Name(const ChunkId& id) { return absl::StrCat("c", id.txn.sequence); }

std::string TextOf(const scrub::FindNext& find) {
  return "find behind " + (find.after ? Name(*find.after) : "nothing");
}
std::string TextOf(const scrub::CheckPiece& piece) {
  return absl::StrCat("check ", Name(piece.chunk), " ", piece.offset, "+", piece.length);
}
std::string TextOf(const scrub::Report& report) {
  return absl::StrCat("report ", Name(report.bad.info.id),
                      report.bad.is_missing ? " missing" : " damaged");
}
std::string TextOf(const scrub::LookAgain& look) { return "look again at " + Name(look.chunk); }
std::string TextOf(const scrub::Save& save) {
  return absl::StrCat("save ", save.progress.is_running ? "running" : "idle", " ",
                      save.progress.chunks, " chunks ", save.progress.bad, " bad");
}
std::string TextOf(const scrub::BeginPass& /*begin*/) { return "begin"; }

// Feeds one input at a time and writes down what comes out.
class Transcript {
 public:
  explicit Transcript(const ScrubOptions& options, const ScrubProgress& progress = {})
      : core(options, progress) {}

  std::string operator()(const scrub::Input& input) {
    const ScrubOutput output = core.Step(absl::UnixEpoch() + elapsed, kWall + elapsed, input);
    wake = output.wake == absl::InfiniteFuture() ? absl::InfiniteDuration()
                                                 : output.wake - absl::UnixEpoch();
    std::string text;
    for (const auto& action : output.actions) {
      if (!text.empty()) text += "; ";
      text += std::visit([](const auto& what) { return TextOf(what); }, action);
    }
    return text;
  }
  // Up to the time that was asked for.
  std::string AtWake() {
    elapsed = std::max(elapsed, wake);
    return (*this)(tick);
  }

  ScrubCore core;
  absl::Duration elapsed;
  absl::Duration wake;
  scrub::Tick tick{false, 10 * kMiB};
};

ScrubOptions Options() {
  ScrubOptions options;
  options.bytes_per_second_max = 8 * kMiB;
  options.busy_bytes_per_second_max = kMiB;
  return options;
}
constexpr auto kGood = scrub::Verdict::kGood;
constexpr auto kBad = scrub::Verdict::kBad;

TEST(ScrubCore, APassReadsEachChunkPieceByPieceAndIsSaved) {
  Transcript run(Options());
  EXPECT_EQ(run(run.tick), "begin; find behind nothing; save running 0 chunks 0 bad");
  EXPECT_EQ(run(scrub::NextChunk{Chunk(1, 2 * kMiB + 5)}), "check c1 0+1048576");
  EXPECT_EQ(run(scrub::PieceChecked{kGood}), "") << "paced";
  EXPECT_EQ(run.AtWake(), "check c1 1048576+1048576");
  EXPECT_EQ(run(scrub::PieceChecked{kGood}), "");
  EXPECT_EQ(run.AtWake(), "check c1 2097152+5");
  EXPECT_EQ(run(scrub::PieceChecked{kGood}), "");
  EXPECT_EQ(run.AtWake(), "find behind c1");
  EXPECT_EQ(run(scrub::NextChunk{std::nullopt}), "save idle 1 chunks 0 bad");
  EXPECT_EQ(run.core.progress().bytes, 2 * kMiB + 5);
  EXPECT_EQ(run.wake, absl::Hours(84)) << "half a period after it began";
  EXPECT_EQ(run(run.tick), "");
  EXPECT_EQ(run.AtWake(), "begin; find behind nothing; save running 0 chunks 0 bad");
}

TEST(ScrubCore, ABadChunkIsReportedUntilItIsHealed) {
  Transcript run(Options());
  run(run.tick);
  run(scrub::NextChunk{Chunk(1, 2 * kMiB)});
  EXPECT_EQ(run(scrub::PieceChecked{kBad}), "report c1 damaged") << "at once";
  EXPECT_EQ(run.core.bad_count(), 1u);
  run.elapsed = absl::Milliseconds(999);
  run(run.tick);
  run.elapsed = absl::Seconds(1);
  EXPECT_THAT(run(run.tick), ::testing::HasSubstr("look again at c1"));
  EXPECT_THAT(run(scrub::LookedAt{Chunk(1, 0).id, true}), ::testing::HasSubstr("report c1 damaged"));
  EXPECT_THAT(run(run.tick), ::testing::Not(::testing::HasSubstr("look again")));
  run.elapsed = absl::Seconds(3);
  EXPECT_THAT(run(run.tick), ::testing::HasSubstr("look again at c1"));
  run(scrub::LookedAt{Chunk(1, 0).id, false});
  EXPECT_EQ(run.core.bad_count(), 0u);
  run.elapsed = absl::Seconds(300);
  EXPECT_THAT(run(run.tick), ::testing::Not(::testing::HasSubstr("look again")));
}

TEST(ScrubCore, WhatOthersFindIsReportedOnce) {
  Transcript run(Options());
  run(run.tick);
  EXPECT_EQ(run(scrub::Found{{Chunk(5, 9), false}}), "report c5 damaged");
  EXPECT_EQ(run(scrub::Found{{Chunk(5, 9), false}}), "");
  EXPECT_EQ(run(scrub::Found{{Chunk(6, 9), true}}), "report c6 missing");
  EXPECT_EQ(run.core.progress().bad, 0u) << "counts what the pass found";
}

TEST(ScrubCore, ARestartGoesOnBehindTheCursor) {
  Transcript before(Options());
  before(before.tick);
  before(scrub::NextChunk{Chunk(1, 5)});
  before(scrub::PieceChecked{kGood});
  before.elapsed = absl::Seconds(30);
  EXPECT_EQ(before(before.tick), "find behind c1; save running 1 chunks 0 bad");
  const auto saved = DecodeScrubProgress(Encode(before.core.progress()));
  ASSERT_TRUE(saved.has_value());
  EXPECT_EQ(*saved, before.core.progress());
  Transcript after(Options(), *saved);
  after.elapsed = absl::Minutes(5);
  EXPECT_EQ(after(after.tick), "find behind c1");
}

TEST(ScrubCore, DamagedProgressIsNoProgress) {
  const std::string bytes = Encode(ScrubProgress());
  EXPECT_EQ(DecodeScrubProgress(bytes), ScrubProgress());
  EXPECT_FALSE(DecodeScrubProgress("").has_value());
  EXPECT_FALSE(DecodeScrubProgress(bytes.substr(1)).has_value());
  EXPECT_FALSE(DecodeScrubProgress("\x02" + bytes.substr(1)).has_value());
}

TEST(ScrubCore, AnOperatorsPassBeginsAtTheBeginningAndIgnoresTheOldAnswer) {
  Transcript run(Options());
  run(run.tick);
  run(scrub::NextChunk{Chunk(1, 5)});
  run(scrub::PieceChecked{kGood});
  EXPECT_EQ(run.AtWake(), "find behind c1");
  EXPECT_EQ(run(scrub::StartNow()), "begin; save running 0 chunks 0 bad");
  EXPECT_EQ(run(scrub::NextChunk{Chunk(2, 5)}), "find behind nothing") << "an answer of the old pass";
  EXPECT_TRUE(run.core.progress().is_asked_for);
}

TEST(ScrubCore, AChunkThatCannotBeReadNowIsTriedAgainAndLeft) {
  Transcript run(Options());
  run(run.tick);
  run(scrub::NextChunk{Chunk(1, 5)});
  EXPECT_EQ(run(scrub::PieceChecked{scrub::Verdict::kUnreadable}), "");
  EXPECT_EQ(run.AtWake(), "check c1 0+5");
  run(scrub::PieceChecked{scrub::Verdict::kUnreadable});
  EXPECT_EQ(run.AtWake(), "check c1 0+5");
  run(scrub::PieceChecked{scrub::Verdict::kUnreadable});
  EXPECT_EQ(run.AtWake(), "find behind c1");
  EXPECT_EQ(run.core.bad_count(), 0u) << "nothing is known of it";
}

TEST(ScrubCore, ThePaceFollowsWhatThereIsAndYieldsToClients) {
  Transcript run(Options());
  run(run.tick);
  EXPECT_EQ(run.core.Rate(), 256u << 10) << "little data: slow, but not for ever";
  run.tick.stored_bytes = std::uint64_t{1} << 40;
  run(run.tick);
  EXPECT_EQ(run.core.Rate(), static_cast<std::uint64_t>(1.25 * (1ULL << 40) / (84 * 3600)));
  run.tick.is_busy = true;
  run(run.tick);
  EXPECT_EQ(run.core.Rate(), kMiB);
  run.tick.is_busy = false;
  run(scrub::StartNow());
  run(run.tick);
  EXPECT_EQ(run.core.Rate(), 8 * kMiB) << "asked for: the whole budget";
  run.tick.is_busy = true;
  run(run.tick);
  EXPECT_EQ(run.core.Rate(), kMiB) << "also then clients come first";
  Transcript late(Options());
  late(late.tick);
  late.elapsed = absl::Hours(85);
  late(late.tick);
  EXPECT_EQ(late.core.Rate(), 8 * kMiB) << "late";
}

TEST(ScrubCore, AClockThatWasAheadDoesNotPutThePassOff) {
  ScrubProgress progress;
  progress.started = progress.finished = kWall + absl::Hours(24 * 365);
  Transcript run(Options(), progress);
  run(run.tick);
  EXPECT_EQ(run.wake, absl::Hours(84));
}

// Drives whole passes over a store of chunks for several periods; restarts in between.
TEST(ScrubCore, NoChunkGoesUncheckedForLongerThanThePeriod) {
  for (const std::uint64_t size : {std::uint64_t{700}, 3 * kMiB}) {
    ScrubOptions options = Options();
    options.period = absl::Hours(10);
    constexpr std::uint64_t kChunks = 3'000;
    Transcript run(options);
    run.tick.stored_bytes = kChunks * size;
    std::map<std::uint64_t, absl::Duration> checked;
    absl::Duration longest;
    std::uint64_t next = 0;
    std::uint64_t offset = 0;
    std::string actions = run(run.tick);
    auto core = std::make_unique<Transcript>(std::move(run));
    int steps = 0;
    while (core->elapsed < options.period * 4 && ++steps < 1'000'000) {
      if (actions.find("check") != std::string::npos) {
        offset += std::min(kMiB, size - offset);
        if (offset == size) {
          longest = std::max(longest, core->elapsed - checked[next]);
          checked[next] = core->elapsed;
        }
        actions = (*core)(scrub::PieceChecked{kGood});
      } else if (actions.find("find behind") != std::string::npos) {
        const auto& after = core->core.progress().after;
        next = after ? after->txn.sequence + 1 : 1;
        offset = 0;
        actions = (*core)(next <= kChunks ? scrub::NextChunk{Chunk(next, size)}
                                          : scrub::NextChunk{std::nullopt});
      } else {
        actions = core->AtWake();
      }
    }
    ASSERT_EQ(checked.size(), kChunks);
    for (const auto& [chunk, time] : checked) longest = std::max(longest, core->elapsed - time);
    EXPECT_LE(longest, options.period + absl::Minutes(1)) << "chunks of " << size;
    EXPECT_GT(longest, options.period / 4) << "and not much oftener than needed";
  }
}

}  // namespace
}  // namespace dfs::chunk
