// Transcripts of node 1 of a small ring: what comes in, what goes out, when. Heartbeats are left out.
// When behaviour changes on purpose: take over the printed text and review the difference.
#include <gtest/gtest.h>

#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "membership/ring_core.h"

namespace dfs::membership {
namespace {

constexpr const char* kKinds[] = {"heartbeat", "gossip",         "probe",
                                  "reply",     "indirect probe", "indirect reply"};
constexpr const char* kStates[] = {"unknown", "alive", "suspect", "dead"};

class Script {
 public:
  explicit Script(std::uint32_t size) {
    RingOptions options;
    options.self = NodeId(1);
    options.boot_epoch = BootEpoch(1);
    core_.emplace(options, now_);
    for (std::uint32_t id = 1; id <= size; ++id) members_.emplace_back(id);
    Step(SetMembers{members_});
    // Two seconds of a healthy ring.
    beating_ = {members_.begin() + 1, members_.end()};
    Wait(absl::Seconds(2));
    start_ = now_;
    lines_.str("");
  }

  // Lets time pass; those in `beating_` send a heartbeat each 100 ms.
  void Wait(absl::Duration duration) {
    const MonotonicTime end = now_ + duration;
    while (true) {
      const MonotonicTime next = std::min(next_beat_, deadline_);
      if (next > end) break;
      now_ = next;
      if (next == next_beat_) {
        next_beat_ += absl::Milliseconds(100);
        for (const NodeId node : beating_) Step(Receive{From(node, MessageKind::kHeartbeat)});
      } else {
        Step(Tick{});
      }
    }
    now_ = end;
  }
  void Silence(std::uint32_t id) { std::erase(beating_, NodeId(id)); }
  void Refuse(std::uint32_t id) {
    Line() << "node " << id << " refuses\n";
    Step(Refused{NodeId(id)});
  }
  void Say(const Message& message) {
    Line() << message.from << " sends " << kKinds[static_cast<int>(message.kind)];
    Describe(message);
    Step(Receive{message});
  }
  static Message From(NodeId from, MessageKind kind, std::uint64_t counter = 1) {
    Message message;
    message.kind = kind;
    message.from = from;
    message.to = NodeId(1);
    message.sequence = 1;
    message.incarnation = (std::uint64_t{1} << 32) + counter;
    return message;
  }
  [[nodiscard]] std::string text() const { return lines_.str(); }

 private:
  void Step(Input input) {
    const Output output = core_->Step(now_, std::move(input));
    deadline_ = output.next_deadline;
    for (const Change& change : output.changes) {
      Line() << "node " << change.node << ": " << kStates[static_cast<int>(change.from)] << " -> "
             << kStates[static_cast<int>(change.to)] << "\n";
    }
    for (const Sending& sending : output.sendings) {
      if (sending.message.kind == MessageKind::kHeartbeat) continue;
      if (sending.message.is_full_exchange) continue;
      Line() << (sending.is_fresh ? "fresh " : "") << kKinds[static_cast<int>(sending.message.kind)]
             << " to " << sending.message.to;
      Describe(sending.message);
    }
  }
  std::ostringstream& Line() {
    lines_ << absl::ToInt64Milliseconds(now_ - start_) << " ms: ";
    return lines_;
  }
  void Describe(const Message& message) {
    if (!message.target.is_none()) lines_ << " of " << message.target;
    if (message.kind == MessageKind::kIndirectReply) lines_ << (message.is_alive ? " yes" : " no");
    for (const Rumour& rumour : message.rumours) {
      lines_ << " [" << rumour.node << " " << kStates[static_cast<int>(rumour.state)] << " "
             << (rumour.incarnation & 0xffffffff);
      for (const NodeId observer : rumour.observers) lines_ << " by " << observer;
      lines_ << "]";
    }
    lines_ << "\n";
  }

  MonotonicTime now_ = absl::UnixEpoch() + absl::Hours(1);
  MonotonicTime start_ = now_;
  MonotonicTime deadline_ = absl::InfiniteFuture();
  MonotonicTime next_beat_ = now_;
  std::optional<RingCore> core_;
  std::vector<NodeId> members_;
  std::vector<NodeId> beating_;
  std::ostringstream lines_;
};

// The last of two: nobody else can look, so three fresh connections stand for other witnesses.
TEST(RingScenario, KilledPeerOfTwo) {
  Script script(2);
  script.Silence(2);
  script.Refuse(2);
  script.Wait(absl::Milliseconds(1));
  script.Refuse(2);
  script.Wait(absl::Milliseconds(20));
  script.Refuse(2);
  script.Wait(absl::Milliseconds(20));
  script.Refuse(2);
  EXPECT_EQ(script.text(), R"(0 ms: node 2 refuses
0 ms: node 2: alive -> suspect
0 ms: fresh probe to 2 [2 suspect 1 by 1]
0 ms: gossip to 2 [2 suspect 1 by 1]
1 ms: node 2 refuses
21 ms: fresh probe to 2 [2 suspect 1 by 1]
21 ms: node 2 refuses
41 ms: fresh probe to 2 [2 suspect 1 by 1]
41 ms: node 2 refuses
41 ms: node 2: suspect -> dead
)");
}

// A second witness makes it certain at once.
TEST(RingScenario, KilledPeerOfThree) {
  Script script(3);
  script.Silence(2);
  script.Refuse(2);
  script.Wait(absl::Milliseconds(1));
  script.Refuse(2);
  Message denial = Script::From(NodeId(3), MessageKind::kIndirectReply);
  denial.target = NodeId(2);
  script.Say(denial);
  EXPECT_EQ(script.text(), R"(0 ms: node 2 refuses
0 ms: node 2: alive -> suspect
0 ms: indirect probe to 3 of 2 [2 suspect 1 by 1]
0 ms: fresh probe to 2 [2 suspect 1 by 1]
0 ms: gossip to 2 [2 suspect 1 by 1]
0 ms: gossip to 3 [2 suspect 1 by 1]
1 ms: node 2 refuses
1 ms: 3 sends indirect reply of 2 no
1 ms: node 2: suspect -> dead
)");
}

TEST(RingScenario, SilentPeerOfThree) {
  Script script(3);
  script.Silence(2);
  script.Wait(absl::Seconds(1));
  EXPECT_EQ(script.text(), R"(250 ms: node 2: alive -> suspect
250 ms: indirect probe to 3 of 2 [2 suspect 1 by 1]
250 ms: fresh probe to 2 [2 suspect 1 by 1]
250 ms: gossip to 2 [2 suspect 1 by 1]
250 ms: gossip to 3 [2 suspect 1 by 1]
300 ms: fresh probe to 2 [2 suspect 1 by 1]
350 ms: fresh probe to 2 [2 suspect 1 by 1]
650 ms: node 2: suspect -> dead
650 ms: gossip to 3 [2 dead 1 by 1]
750 ms: gossip to 3 [2 dead 1 by 1]
1000 ms: fresh probe to 2 [2 dead 1 by 1]
)");
}

// The helper reaches it: the accused refutes by way of the helper.
TEST(RingScenario, SilentPeerIsVouchedFor) {
  Script script(3);
  script.Silence(2);
  script.Wait(absl::Milliseconds(260));
  Message answer = Script::From(NodeId(3), MessageKind::kIndirectReply);
  answer.target = NodeId(2);
  answer.is_alive = true;
  answer.rumours.push_back({.node = NodeId(2),
                            .state = LivenessState::kAlive,
                            .incarnation = (std::uint64_t{1} << 32) + 2});
  script.Say(answer);
  script.Wait(absl::Milliseconds(700));
  EXPECT_EQ(script.text(), R"(250 ms: node 2: alive -> suspect
250 ms: indirect probe to 3 of 2 [2 suspect 1 by 1]
250 ms: fresh probe to 2 [2 suspect 1 by 1]
250 ms: gossip to 2 [2 suspect 1 by 1]
250 ms: gossip to 3 [2 suspect 1 by 1]
260 ms: 3 sends indirect reply of 2 yes [2 alive 2]
260 ms: node 2: suspect -> alive
260 ms: gossip to 3 [2 alive 2]
510 ms: fresh probe to 2
510 ms: indirect probe to 3 of 2 [2 alive 2]
760 ms: node 2: alive -> suspect
760 ms: indirect probe to 3 of 2 [2 suspect 2 by 1]
760 ms: fresh probe to 2 [2 suspect 2 by 1]
760 ms: gossip to 3 [2 suspect 2 by 1]
760 ms: gossip to 2 [2 suspect 2 by 1]
810 ms: fresh probe to 2 [2 suspect 2 by 1]
860 ms: fresh probe to 2 [2 suspect 2 by 1]
)");
}

TEST(RingScenario, ProbeForAnother) {
  Script script(4);
  Message question = Script::From(NodeId(3), MessageKind::kIndirectProbe);
  question.target = NodeId(2);
  script.Say(question);
  script.Wait(absl::Milliseconds(5));
  script.Say(Script::From(NodeId(2), MessageKind::kProbeReply));
  script.Say(question);
  script.Silence(2);
  script.Wait(absl::Milliseconds(5));
  script.Refuse(2);
  EXPECT_EQ(script.text(), R"(0 ms: 3 sends indirect probe of 2
0 ms: fresh probe to 2
5 ms: 2 sends reply
5 ms: indirect reply to 3 of 2 yes [2 alive 1]
5 ms: 3 sends indirect probe of 2
5 ms: fresh probe to 2
10 ms: node 2 refuses
10 ms: node 2: alive -> suspect
10 ms: indirect probe to 4 of 2 [2 suspect 1 by 1]
10 ms: indirect probe to 3 of 2 [2 suspect 1 by 1]
10 ms: indirect reply to 3 of 2 no [2 suspect 1 by 1]
10 ms: fresh probe to 2 [2 suspect 1 by 1]
10 ms: gossip to 2 [2 suspect 1 by 1]
)");
}

// The accuser died; who only heard of it looks for itself in the end.
TEST(RingScenario, SuspicionWithoutItsAccuserIsSettled) {
  Script script(3);
  Message accusation = Script::From(NodeId(3), MessageKind::kGossip);
  accusation.rumours.push_back({.node = NodeId(2),
                                .state = LivenessState::kSuspect,
                                .incarnation = (std::uint64_t{1} << 32) + 1,
                                .observers = {NodeId(3)}});
  script.Silence(2);
  script.Silence(3);
  script.Say(accusation);
  script.Wait(absl::Seconds(2));
  EXPECT_NE(script.text().find("node 2: suspect -> dead"), std::string::npos) << script.text();
  EXPECT_NE(script.text().find("node 3: suspect -> dead"), std::string::npos) << script.text();
}

// One witness is not enough, however long it takes: 1 looks for itself (400 to 800 ms later), and the
// accused, which is no neighbour and was only called silent, answers.
TEST(RingScenario, RumourOfOneWitnessKillsNobody) {
  Script script(6);
  Message accusation = Script::From(NodeId(3), MessageKind::kGossip);
  accusation.rumours.push_back({.node = NodeId(4),
                                .state = LivenessState::kSuspect,
                                .incarnation = (std::uint64_t{1} << 32) + 1,
                                .observers = {NodeId(3)}});
  script.Silence(4);
  script.Say(accusation);
  script.Wait(absl::Milliseconds(420));
  EXPECT_EQ(script.text().find("node 4: suspect -> dead"), std::string::npos) << script.text();
  script.Say(Script::From(NodeId(4), MessageKind::kProbeReply, 2));
  EXPECT_NE(script.text().find("node 4: suspect -> alive"), std::string::npos) << script.text();
}

// 1 accused 2, hears it again and is a witness no more: another one's word is the only one then.
TEST(RingScenario, AWitnessThatHearsTheAccusedWithdraws) {
  Script script(3);
  script.Silence(2);
  script.Wait(absl::Milliseconds(260));
  ASSERT_NE(script.text().find("node 2: alive -> suspect"), std::string::npos) << script.text();
  script.Say(Script::From(NodeId(2), MessageKind::kHeartbeat));
  Message accusation = Script::From(NodeId(3), MessageKind::kGossip);
  accusation.rumours.push_back({.node = NodeId(2),
                                .state = LivenessState::kSuspect,
                                .incarnation = (std::uint64_t{1} << 32) + 1,
                                .observers = {NodeId(3)}});
  script.Say(accusation);
  script.Wait(absl::Milliseconds(500));
  EXPECT_EQ(script.text().find("node 2: suspect -> dead"), std::string::npos) << script.text();
}

}  // namespace
}  // namespace dfs::membership
