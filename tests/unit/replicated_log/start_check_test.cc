// Transcripts of node 1 while it starts: what it asks, what it hears, what it concludes. Times in ms since the start.
// When behaviour changes on purpose: take over the printed text and review the difference.
#include "server/replicated_log/start_check_core.h"

#include <gtest/gtest.h>

#include <set>
#include <sstream>
#include <string>
#include <vector>

namespace dfs::replicated_log {
namespace {

const MonotonicTime kBooted = absl::FromUnixSeconds(1'000);

using consensus::Configuration;

StorageUuid UuidOf(std::uint32_t node) { return {3, node}; }
std::string HomeOf(std::uint32_t node) { return "home" + std::to_string(node); }

Configuration Members(const std::set<std::uint32_t>& nodes, const std::set<std::uint32_t>& voters) {
  Configuration configuration;
  for (const auto node : nodes) {
    configuration.members[NodeId(node)] = {UuidOf(node), HomeOf(node), true};
  }
  for (const auto voter : voters) configuration.voters.insert(NodeId(voter));
  return configuration;
}

const Configuration kThree = Members({1, 2, 3}, {1, 2, 3});

class Script {
 public:
  // Node 1 has term 5 and a log that ends with entry 4/100.
  explicit Script(const Configuration& configuration, const std::set<std::string>& join = {})
      : core_({.self = NodeId(1), .own_address = HomeOf(1)}) {
    Step(start_check::Begin{own_, configuration, join});
  }

  static Greeting From(std::uint32_t node, const Configuration& configuration,
                       std::uint64_t last_index = 100) {
    Greeting greeting;
    greeting.node = NodeId(node);
    greeting.storage_uuid = UuidOf(node);
    greeting.mark = {Term(5), Term(4), LogIndex(100)};
    greeting.configuration = configuration;
    greeting.last_term = Term(4);
    greeting.last_index = LogIndex(last_index);
    return greeting;
  }
  void Answer(const std::string& address, const Greeting& greeting) {
    Line() << address << " answers as node " << greeting.node << "\n";
    Step(start_check::Answered{address, greeting, own_});
  }
  void Fail(const std::string& address) { Step(start_check::Failed{address}); }
  void Hear(StartCheckInput input) { Step(std::move(input)); }
  // Lets time pass; whoever is in `dead` fails at once when asked.
  void Wait(absl::Duration duration, const std::set<std::string>& dead = {}) {
    const MonotonicTime end = now_ + duration;
    is_quiet_ = true;
    while (deadline_ <= end) {
      now_ = std::max(now_, deadline_);
      const auto asked = Step(start_check::Tick{});
      for (const auto& address : asked) {
        if (dead.contains(address)) Step(start_check::Failed{address});
      }
    }
    now_ = end;
    is_quiet_ = false;
  }
  void SetOwn(const LogPosition& position) { own_ = position; }
  [[nodiscard]] std::string text() const { return text_.str(); }

 private:
  std::ostream& Line() {
    return text_ << absl::ToInt64Milliseconds(now_ - kBooted) << ": ";
  }
  std::vector<std::string> Step(StartCheckInput input) {
    auto out = core_.Step(now_, std::move(input));
    deadline_ = out.next_deadline;
    for (const auto& address : out.ask) {
      if (!is_quiet_) Line() << "asks " << address << "\n";
    }
    if (out.newer_members) {
      Line() << "newer:";
      for (const auto& [node, member] : *out.newer_members) text_ << " " << node;
      text_ << "\n";
    }
    if (out.moved) {
      Line() << "moved:";
      for (const auto& [node, address] : *out.moved) text_ << " " << node << " to " << address;
      text_ << "\n";
    }
    if (out.rolled_back) Line() << "ROLLED BACK: " << *out.rolled_back << "\n";
    if (out.is_released) Line() << "takes part\n";
    return out.ask;
  }

  LogPosition own_{Term(5), Term(4), LogIndex(100)};
  StartCheckCore core_;
  MonotonicTime now_ = kBooted;
  MonotonicTime deadline_ = absl::InfiniteFuture();
  bool is_quiet_ = false;
  std::ostringstream text_;
};

TEST(StartCheck, OnlyMemberAsksNobody) {
  Script script(Members({1}, {1}));
  EXPECT_EQ(script.text(), "0: takes part\n");
}

TEST(StartCheck, AllHaveAnswered) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Answer("home3", Script::From(3, kThree));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: home3 answers as node 3
0: takes part
)");
}

TEST(StartCheck, MajorityIsEnoughAfterTwoSeconds) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Fail("home3");
  script.Wait(absl::Seconds(3), {"home3"});
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
2000: takes part
)");
}

TEST(StartCheck, AloneOfThreeWaitsForEver) {
  Script script(kThree);
  script.Fail("home2");
  script.Fail("home3");
  script.Wait(absl::Minutes(5), {"home2", "home3"});
  script.Answer("home3", Script::From(3, kThree));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
300000: home3 answers as node 3
300000: takes part
)");
}

// Whoever comes up asks; it can be asked, too.
TEST(StartCheck, MemberThatAsksIsAskedAtOnce) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Wait(absl::Milliseconds(5));
  script.Fail("home3");
  script.Hear(start_check::AskedBy{NodeId(3), "home3"});
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
5: asks home3
)");
}

TEST(StartCheck, EntryThatWasShownAndIsGone) {
  Script script(kThree);
  Greeting greeting = Script::From(2, kThree);
  greeting.mark.entry_index = LogIndex(101);
  script.Answer("home2", greeting);
  script.Answer("home3", Script::From(3, kThree));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: ROLLED BACK: node 2 has seen term 5, entry 4/101 of this node, but its data directory holds term 5, entry 4/100
0: home3 answers as node 3
)");
}

TEST(StartCheck, TermThatWasShownAndIsGone) {
  Script script(kThree);
  Greeting greeting = Script::From(2, kThree);
  greeting.mark = {Term(6), Term(), LogIndex()};
  script.Answer("home2", greeting);
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: ROLLED BACK: node 2 has seen term 6, entry 0/0 of this node, but its data directory holds term 5, entry 4/100
)");
}

// An uncommitted tail was truncated under a newer term: entries 3/110 were shown, 4/100 stands now.
TEST(StartCheck, TruncatedTailUnderANewerTermIsNoRollback) {
  Script script(kThree);
  Greeting greeting = Script::From(2, kThree);
  greeting.mark = {Term(5), Term(3), LogIndex(110)};
  script.Answer("home2", greeting);
  script.Answer("home3", Script::From(3, kThree));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: home3 answers as node 3
0: takes part
)");
}

TEST(StartCheck, EpochThatAPeerRefuses) {
  Script script(kThree);
  Greeting greeting = Script::From(3, kThree);
  greeting.refuses_epoch = true;
  greeting.reason = "node 1 runs twice with one data directory";
  script.Answer("home3", greeting);
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home3 answers as node 3
0: ROLLED BACK: node 3 says: node 1 runs twice with one data directory
)");
}

// The witness was away at the start; its word counts all the same.
TEST(StartCheck, LateWordOfAWitness) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Fail("home3");
  script.Wait(absl::Seconds(10), {"home3"});
  Greeting late = Script::From(3, kThree);
  late.mark.entry_index = LogIndex(200);
  script.Answer("home3", late);
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
2000: takes part
10000: home3 answers as node 3
10000: ROLLED BACK: node 3 has seen term 5, entry 4/200 of this node, but its data directory holds term 5, entry 4/100
)");
}

// What it has shown since then is no rollback.
TEST(StartCheck, LateWordAboutWhatCameSince) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Fail("home3");
  script.Wait(absl::Seconds(10), {"home3"});
  script.SetOwn({Term(6), Term(6), LogIndex(300)});
  Greeting late = Script::From(3, kThree);
  late.mark = {Term(6), Term(6), LogIndex(300)};
  script.Answer("home3", late);
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
2000: takes part
10000: home3 answers as node 3
)");
}

// The newest configuration decides who must answer, also members that came while this one was away.
TEST(StartCheck, NewerConfigurationNamesWhoElseToAsk) {
  const Configuration newer = Members({1, 2, 3, 4, 5}, {1, 4, 5});
  Script script(kThree);
  script.Fail("home3");
  script.Answer("home2", Script::From(2, newer, 500));
  script.Fail("home4");
  script.Fail("home5");
  script.Wait(absl::Seconds(5), {"home3", "home4", "home5"});
  script.Answer("home5", Script::From(5, newer, 500));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: asks home4
0: asks home5
0: newer: 4 5
5000: home5 answers as node 5
5000: takes part
)");
}

// Forgotten while it was away: it must not vote as what it was.
TEST(StartCheck, WhoWasTakenOutTakesNoPart) {
  Script script(kThree);
  const Configuration without = Members({2, 3}, {2});
  script.Answer("home2", Script::From(2, without, 500));
  script.Answer("home3", Script::From(3, without, 500));
  script.Wait(absl::Minutes(1));
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: home3 answers as node 3
)");
}

TEST(StartCheck, AllAtOtherAddresses) {
  Script script(kThree, {"new1", "new2", "new3"});
  script.Fail("home2");
  script.Fail("home3");
  script.Answer("new3", Script::From(3, kThree));
  script.Answer("new2", Script::From(2, kThree));
  script.Answer("new1", Script::From(1, kThree));  // itself
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: asks new1
0: asks new2
0: asks new3
0: new3 answers as node 3
0: moved: 3 to new3
0: new2 answers as node 2
0: moved: 2 to new2 3 to new3
0: new1 answers as node 1
0: takes part
)");
}

TEST(StartCheck, ConfiguredAddressWinsOverAnotherNameOfIt) {
  Script script(kThree, {"alias2"});
  script.Answer("alias2", Script::From(2, kThree));
  script.Answer("home2", Script::From(2, kThree));
  EXPECT_EQ(script.text(), R"(0: asks alias2
0: asks home2
0: asks home3
0: alias2 answers as node 2
0: moved: 2 to alias2
0: home2 answers as node 2
0: moved:
)");
}

TEST(StartCheck, AnotherDataDirectoryAtAMembersAddressIsNoAnswer) {
  Script script(kThree);
  Greeting impostor = Script::From(2, kThree);
  impostor.storage_uuid = UuidOf(99);
  impostor.refuses_epoch = true;
  script.Answer("home3", Script::From(3, kThree));
  script.Answer("home2", impostor);
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home3 answers as node 3
0: home2 answers as node 2
)");
}

TEST(StartCheck, EverybodyIsAskedAgainWhileNoLeaderIsHeardOf) {
  Script script(kThree);
  script.Answer("home2", Script::From(2, kThree));
  script.Answer("home3", Script::From(3, kThree));
  script.Wait(absl::Seconds(5));
  script.Hear(start_check::LeaderMissing{});
  EXPECT_EQ(script.text(), R"(0: asks home2
0: asks home3
0: home2 answers as node 2
0: home3 answers as node 3
0: takes part
5000: asks home2
5000: asks home3
)");
}

TEST(WitnessMarks, TermAndEntryRiseApart) {
  WitnessMarks marks;
  marks.RecordTerm(NodeId(2), Term(4));
  marks.RecordEntry(NodeId(2), Term(3), LogIndex(10));
  marks.RecordTerm(NodeId(2), Term(2));
  marks.RecordEntry(NodeId(2), Term(2), LogIndex(99));
  EXPECT_EQ(marks.Of(NodeId(2)), (WitnessMark{Term(4), Term(3), LogIndex(10)}));
  marks.RecordEntry(NodeId(2), Term(4), LogIndex(7));
  EXPECT_EQ(marks.Of(NodeId(2)), (WitnessMark{Term(4), Term(4), LogIndex(7)}));
  EXPECT_EQ(marks.Of(NodeId(3)), WitnessMark());
}

}  // namespace
}  // namespace dfs::replicated_log
