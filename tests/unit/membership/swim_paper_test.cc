// One test per rule of SWIM and Lifeguard, as tables of state x event.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "membership/ring_core.h"

namespace dfs::membership {
namespace {

using testing::IsEmpty;
using enum LivenessState;

constexpr std::uint64_t kBase = (std::uint64_t{1} << 32) + 5;  // an incarnation of run 1
const NodeId kSelf(1);
const NodeId kSubject(2);
const NodeId kTeller(3);

class SwimPaper : public testing::Test {
 protected:
  SwimPaper() { Reset(); }

  void Reset() {
    RingOptions options;
    options.self = kSelf;
    options.boot_epoch = BootEpoch(1);
    core_.emplace(options, now_);
    Step(SetMembers{{NodeId(1), NodeId(2), NodeId(3), NodeId(4), NodeId(5)}});
  }
  Output Step(Input input) {
    last_ = core_->Step(now_, std::move(input));
    return last_;
  }
  static Message From(NodeId from, MessageKind kind, std::uint64_t incarnation = kBase) {
    Message message;
    message.kind = kind;
    message.from = from;
    message.to = kSelf;
    message.sequence = 77;
    message.incarnation = incarnation;
    return message;
  }
  Output Tell(NodeId about, LivenessState state, std::uint64_t incarnation, bool is_full = false) {
    Message message = From(kTeller, MessageKind::kGossip);
    message.is_full_exchange = is_full;
    message.rumours.push_back({.node = about, .state = state, .incarnation = incarnation,
                               .observers = {NodeId(4)}});
    return Step(Receive{message});
  }
  [[nodiscard]] const Member& subject() const { return *core_->table().Find(kSubject); }
  // The first message to `to` of this kind in the last output.
  [[nodiscard]] std::optional<Sending> Sent(NodeId to, MessageKind kind) const {
    for (const Sending& sending : last_.sendings) {
      if (sending.message.to == to && sending.message.kind == kind) return sending;
    }
    return std::nullopt;
  }
  [[nodiscard]] bool SentAccusation(NodeId to) const {
    return std::any_of(last_.sendings.begin(), last_.sendings.end(), [&](const Sending& sending) {
      const auto& rumours = sending.message.rumours;
      return sending.message.to == to && !rumours.empty() && rumours[0].node == to &&
             rumours[0].state >= kSuspect;
    });
  }

  MonotonicTime now_ = absl::UnixEpoch() + absl::Hours(1);
  std::optional<RingCore> core_;
  Output last_;
};

// (state before, what is told of it) -> state after; incarnations relative to the known one.
struct Row {
  LivenessState before;
  LivenessState told;
  int told_incarnation;
  LivenessState after;
  int after_incarnation;
};

TEST_F(SwimPaper, RumoursChangeStateOnlyUpwards) {
  const std::vector<Row> table = {
      {kAlive, kAlive, -1, kAlive, 0},     {kAlive, kAlive, 0, kAlive, 0},
      {kAlive, kAlive, 1, kAlive, 1},      {kAlive, kSuspect, -1, kAlive, 0},
      {kAlive, kSuspect, 0, kSuspect, 0},  {kAlive, kSuspect, 1, kSuspect, 1},
      {kAlive, kDead, -1, kAlive, 0},      {kAlive, kDead, 0, kDead, 0},
      {kAlive, kDead, 1, kDead, 1},        {kSuspect, kAlive, -1, kSuspect, 0},
      {kSuspect, kAlive, 0, kSuspect, 0},  {kSuspect, kAlive, 1, kAlive, 1},
      {kSuspect, kSuspect, -1, kSuspect, 0}, {kSuspect, kSuspect, 0, kSuspect, 0},
      {kSuspect, kSuspect, 1, kSuspect, 1}, {kSuspect, kDead, -1, kSuspect, 0},
      {kSuspect, kDead, 0, kDead, 0},      {kSuspect, kDead, 1, kDead, 1},
      {kDead, kAlive, -1, kDead, 0},       {kDead, kAlive, 0, kDead, 0},
      {kDead, kAlive, 1, kAlive, 1},       {kDead, kSuspect, -1, kDead, 0},
      {kDead, kSuspect, 0, kDead, 0},      {kDead, kSuspect, 1, kSuspect, 1},
      {kDead, kDead, -1, kDead, 0},        {kDead, kDead, 0, kDead, 0},
      {kDead, kDead, 1, kDead, 1},
  };
  for (const Row& row : table) {
    Reset();
    Tell(kSubject, row.before, kBase);
    ASSERT_EQ(subject().state, row.before);
    Tell(kSubject, row.told, kBase + static_cast<std::uint64_t>(row.told_incarnation));
    EXPECT_EQ(subject().state, row.after)
        << static_cast<int>(row.before) << " told " << static_cast<int>(row.told) << " "
        << row.told_incarnation;
    EXPECT_EQ(subject().incarnation, kBase + static_cast<std::uint64_t>(row.after_incarnation));
  }
}

TEST_F(SwimPaper, AnythingIsNewsOfAnUnknownMember) {
  for (const LivenessState state : {kAlive, kSuspect, kDead}) {
    for (const bool is_full : {false, true}) {
      Reset();
      Tell(kSubject, state, kBase, is_full);
      EXPECT_EQ(subject().state, state) << is_full;
    }
  }
}

TEST_F(SwimPaper, NewsIsPassedOnAndOldStoriesAreNot) {
  Tell(kSubject, kAlive, kBase);
  const auto told = [&] {
    return std::any_of(last_.sendings.begin(), last_.sendings.end(), [](const Sending& sending) {
      const auto& rumours = sending.message.rumours;
      return std::any_of(rumours.begin(), rumours.end(),
                         [](const Rumour& rumour) { return rumour.node == kSubject; });
    });
  };
  EXPECT_TRUE(told());
  now_ += absl::Seconds(5);  // whatever was queued is worn out after a few rounds
  for (int i = 0; i < 20; ++i, now_ += absl::Milliseconds(10)) Step(Receive{From(kTeller, MessageKind::kHeartbeat)});
  Tell(kSubject, kSuspect, kBase - 1);
  EXPECT_FALSE(told());
}

// ---- guards: unknown, stale, for another ----

TEST_F(SwimPaper, StrangersAreNeitherHeardNorToldOf) {
  Step(Receive{From(NodeId(99), MessageKind::kProbe)});
  EXPECT_EQ(Sent(NodeId(99), MessageKind::kProbeReply), std::nullopt);
  EXPECT_EQ(core_->table().Find(NodeId(99)), nullptr);
  Tell(NodeId(99), kDead, kBase);
  EXPECT_EQ(core_->table().Find(NodeId(99)), nullptr);
}

TEST_F(SwimPaper, MessagesForAnotherAreDropped) {
  Message message = From(kSubject, MessageKind::kProbe);
  message.to = NodeId(4);
  Step(Receive{message});
  EXPECT_EQ(subject().state, kUnknown);
  EXPECT_EQ(Sent(kSubject, MessageKind::kProbeReply), std::nullopt);
}

TEST_F(SwimPaper, AnEarlierRunIsNotHeard) {
  Tell(kSubject, kDead, (std::uint64_t{2} << 32) + 1);
  Step(Receive{From(kSubject, MessageKind::kProbe, kBase)});
  EXPECT_EQ(subject().state, kDead);
  EXPECT_EQ(Sent(kSubject, MessageKind::kProbeReply), std::nullopt);
}

TEST_F(SwimPaper, TooManyRumoursAreRefused) {
  Message message = From(kTeller, MessageKind::kGossip);
  message.rumours.assign(kRumoursMax + 1, {.node = kSubject, .state = kAlive, .incarnation = kBase});
  Step(Receive{message});
  EXPECT_EQ(subject().state, kUnknown);
}

// ---- direct messages: (state before) x (incarnation) ----

TEST_F(SwimPaper, ANewerIncarnationBringsAnyoneBack) {
  for (const LivenessState before : {kUnknown, kAlive, kSuspect, kDead}) {
    Reset();
    if (before != kUnknown) Tell(kSubject, before, kBase);
    Step(Receive{From(kSubject, MessageKind::kHeartbeat, kBase + 1)});
    EXPECT_EQ(subject().state, kAlive);
    EXPECT_EQ(subject().incarnation, kBase + 1);
    // Who was away gets all that is known.
    const auto exchange = Sent(kSubject, MessageKind::kGossip);
    const bool has_exchange = exchange && exchange->message.is_full_exchange;
    EXPECT_EQ(has_exchange, before == kUnknown || before == kDead);
  }
}

TEST_F(SwimPaper, AHigherBootEpochOutranksEverythingSaidOfTheOldRun) {
  Tell(kSubject, kDead, (std::uint64_t{1} << 32) + 0xffffffff);
  Step(Receive{From(kSubject, MessageKind::kHeartbeat, (std::uint64_t{2} << 32) + 1)});
  EXPECT_EQ(subject().state, kAlive);
}

TEST_F(SwimPaper, OnlyTheAccusedItselfClearsItselfByRaisingItsIncarnation) {
  for (const LivenessState before : {kSuspect, kDead}) {
    Reset();
    Tell(kSubject, before, kBase);
    Step(Receive{From(kSubject, MessageKind::kHeartbeat, kBase)});
    EXPECT_EQ(subject().state, before);
    EXPECT_TRUE(SentAccusation(kSubject)) << "it must learn what it has to refute";
  }
}

TEST_F(SwimPaper, ProbesAreAnsweredWithTheirSequence) {
  Step(Receive{From(kSubject, MessageKind::kProbe)});
  const auto reply = Sent(kSubject, MessageKind::kProbeReply);
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->message.sequence, 77u);
  EXPECT_FALSE(reply->is_fresh);
}

// ---- about me: refute ----

struct SelfRow {
  LivenessState told;
  std::int64_t relative;  // to the own incarnation
  int raised;             // by how much beyond what was told; -1: not at all
  bool is_answered;
};

TEST_F(SwimPaper, AccusationsOfSelfAreRefuted) {
  const std::vector<SelfRow> table = {
      {kAlive, 0, -1, false},   {kAlive, 3, 1, true},    {kSuspect, -1, -1, true},
      {kSuspect, 0, 1, true},   {kSuspect, 3, 1, true},  {kDead, -1, -1, true},
      {kDead, 0, 1, true},      {kDead, 3, 1, true},
  };
  for (const SelfRow& row : table) {
    Reset();
    Step(Receive{From(kTeller, MessageKind::kHeartbeat)});  // met
    const std::uint64_t own = core_->incarnation();
    const std::uint64_t told = own + static_cast<std::uint64_t>(row.relative);
    Tell(kSelf, row.told, told);
    EXPECT_EQ(core_->incarnation(), row.raised < 0 ? own : told + 1)
        << static_cast<int>(row.told) << " " << row.relative;
    const auto answer = Sent(kTeller, MessageKind::kGossip);
    EXPECT_EQ(answer.has_value(), row.is_answered) << static_cast<int>(row.told) << row.relative;
    if (answer) {
      EXPECT_EQ(answer->message.incarnation, core_->incarnation());
    }
  }
}

TEST_F(SwimPaper, ALaterRunOfSelfIsNotOutbid) {
  const std::uint64_t own = core_->incarnation();
  Tell(kSelf, kDead, (std::uint64_t{9} << 32) + 1);
  EXPECT_EQ(core_->incarnation(), own);
}

TEST_F(SwimPaper, TheCounterDoesNotRunIntoTheEpoch) {
  const std::uint64_t own = core_->incarnation();
  Tell(kSelf, kSuspect, (std::uint64_t{1} << 32) + 0xffffffff);
  EXPECT_EQ(core_->incarnation(), own);
}

TEST_F(SwimPaper, BeingAccusedWorsensLocalHealth) {
  EXPECT_EQ(core_->local_health(), 0u);
  Tell(kSelf, kSuspect, core_->incarnation());
  EXPECT_EQ(core_->local_health(), 1u);
}

// ---- DEAD is checked against own evidence ----

TEST_F(SwimPaper, WhoWasJustHeardIsNotDeadOnHearsay) {
  Step(Receive{From(kSubject, MessageKind::kHeartbeat, kBase)});
  Tell(kSubject, kDead, kBase);
  EXPECT_EQ(subject().state, kSuspect);
  EXPECT_TRUE(SentAccusation(kSubject));
}

TEST_F(SwimPaper, WhoWasNotHeardForAWhileIs) {
  Step(Receive{From(kSubject, MessageKind::kHeartbeat, kBase)});
  now_ += absl::Milliseconds(260);
  Tell(kSubject, kDead, kBase);
  EXPECT_EQ(subject().state, kDead);
}

TEST_F(SwimPaper, DeathsInAFullExchangeAreExaminedFirst) {
  Tell(kSubject, kAlive, kBase);
  Tell(kSubject, kDead, kBase, /*is_full=*/true);
  EXPECT_EQ(subject().state, kSuspect);
  EXPECT_TRUE(SentAccusation(kSubject));
}

TEST_F(SwimPaper, AFullExchangeIsAnsweredWithWhatItLacks) {
  Tell(kSubject, kAlive, kBase + 2);
  Tell(kSubject, kAlive, kBase, /*is_full=*/true);
  const auto answer = Sent(kTeller, MessageKind::kGossip);
  ASSERT_TRUE(answer);
  EXPECT_TRUE(answer->message.is_full_exchange);
  EXPECT_TRUE(answer->message.is_alive) << "else it would be answered in turn";
  ASSERT_EQ(answer->message.rumours.size(), 1u);
  EXPECT_EQ(answer->message.rumours[0].incarnation, kBase + 2);
  Tell(kSubject, kAlive, kBase + 2, /*is_full=*/true);
  EXPECT_EQ(Sent(kTeller, MessageKind::kGossip), std::nullopt);
}

// ---- a late node accuses nobody ----

TEST_F(SwimPaper, AfterAPauseEveryoneGetsAFreshChance) {
  for (int i = 0; i < 20; ++i, now_ += absl::Milliseconds(100)) {
    for (const std::uint32_t id : {2u, 3u, 4u, 5u}) {
      Step(Receive{From(NodeId(id), MessageKind::kHeartbeat)});
    }
  }
  now_ += absl::Seconds(30);
  Step(Tick{});
  for (const std::uint32_t id : {2u, 3u, 4u, 5u}) {
    EXPECT_EQ(core_->table().Find(NodeId(id))->state, kAlive);
  }
  EXPECT_GE(core_->local_health(), 1u);
  // And then silence counts again.
  while (now_ < absl::UnixEpoch() + absl::Hours(2) && subject().state == kAlive) {
    now_ = last_.next_deadline;
    Step(Tick{});
  }
  EXPECT_EQ(subject().state, kSuspect);
}

TEST_F(SwimPaper, TheNextDeadlineIsAlwaysAhead) {
  for (int i = 0; i < 2'000; ++i) {
    Step(Tick{});
    ASSERT_GT(last_.next_deadline, now_);
    now_ = last_.next_deadline;
  }
}

TEST_F(SwimPaper, AMemberAloneSleeps) {
  Step(SetMembers{{kSelf}});
  EXPECT_EQ(last_.next_deadline, absl::InfiniteFuture());
  EXPECT_THAT(last_.sendings, IsEmpty());
}

}  // namespace
}  // namespace dfs::membership
