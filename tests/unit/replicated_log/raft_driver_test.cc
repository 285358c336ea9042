// The order of the driver's duties (consensus/input_output.h): what waits for the disk leaves when it
// is there, and never when it failed.
#include "server/replicated_log/raft_driver.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/unit/replicated_log/log_test_cluster.h"

namespace dfs::replicated_log {
namespace {

// Writes down what leaves, and whether the node itself shows by then what a message says it holds.
class RecordingTransport final : public RaftTransport {
 public:
  explicit RecordingTransport(std::vector<std::string>* story) : story_(story) {}
  std::function<LogPosition()> shown;
  void SetReceiver(Receiver /*receiver*/, Refused /*refused*/) override {}
  void SetMembers(const consensus::Configuration& /*configuration*/) override {}
  void Send(std::vector<consensus::Message> messages) override {
    for (const auto& m : messages) {
      EXPECT_GE(shown().term, m.term);
      if (const auto* vote = std::get_if<consensus::VoteReply>(&m.body)) {
        story_->push_back(vote->is_granted ? "vote leaves" : "refusal leaves");
      } else if (const auto* append = std::get_if<consensus::AppendReply>(&m.body)) {
        story_->push_back("holds " + std::to_string(append->index.value()) + " leaves");
        EXPECT_GE(shown().last_index, append->index);
      }
    }
  }

 private:
  std::vector<std::string>* const story_;
};

// Node 2 of three voters; everything happens on the test's thread but apply.
class RaftDriverTest : public ::testing::Test {
 protected:
  RaftDriverTest()
      : transport_(&story_),
        store_(UuidOf(kSelf)),
        machine_(store_.state()),
        callers_(LogIndex()),
        applier_({&machine_, &store_, &clock_, [](const std::vector<Applier::Applied>&) {}}) {
    store_.SetAppendHook([this] { story_.emplace_back("disk writes"); });
    RaftDriver::Parts parts;
    parts.host.options.self = kSelf;
    parts.host.log_store = &store_;
    parts.host.machine = &machine_;
    parts.host.transport = &transport_;
    parts.host.clock = &clock_;
    parts.callers = &callers_;
    parts.applier = &applier_;
    parts.want_snapshot = [](NodeId) {};
    parts.on_fatal = [this](const absl::Status&) { story_.emplace_back("node stops"); };
    consensus::InitialState initial;
    initial.base_configuration = MembersOf({NodeId(1), kSelf, NodeId(3)});
    driver_ = std::make_unique<RaftDriver>(std::move(parts), std::move(initial));
    transport_.shown = [this] { return driver_->Status().durable; };
    driver_->Tick();
    driver_->Finish();
  }

  void AskForVote() {
    driver_->Receive({NodeId(1), kSelf, Term(1), consensus::VoteRequest{}});
    driver_->Finish();
  }
  void BringAnEntry() {
    consensus::AppendRequest request;
    request.entries = {FoundingEntry(MembersOf({NodeId(1), kSelf, NodeId(3)}))};
    request.sequence = 1;
    driver_->Receive({NodeId(1), kSelf, Term(1), std::move(request)});
    driver_->Finish();
  }

  static constexpr NodeId kSelf{2};
  const Clock& clock_ = SystemClock();
  std::vector<std::string> story_;
  RecordingTransport transport_;
  testing::MemoryLogStore store_;
  metadata::MetadataMachine machine_;
  CallerTable callers_;
  Applier applier_;
  std::unique_ptr<RaftDriver> driver_;
};

using Story = std::vector<std::string>;

TEST_F(RaftDriverTest, AVoteLeavesBehindItsWrite) {
  AskForVote();
  EXPECT_EQ(story_, (Story{"disk writes", "vote leaves"}));
}

// Who is asked by a start check right after (rule R3) would else be told of more than this node says it has, and the
// data of a healthy node would be set aside.
TEST_F(RaftDriverTest, ANodeShowsWhatItHoldsBeforeOthersHearOfIt) {
  BringAnEntry();  // the transport compares
  EXPECT_EQ(story_.back(), "holds 1 leaves");
  EXPECT_EQ(driver_->Status().durable.last_index, LogIndex(1));
}

TEST_F(RaftDriverTest, AHeldNodeSleeps) {
  driver_->Start(/*is_held=*/true);
  driver_->Finish();
  EXPECT_EQ(driver_->deadline(), absl::InfiniteFuture());
  driver_->Release();
  driver_->Finish();
  EXPECT_LT(driver_->deadline(), absl::InfiniteFuture());
}

TEST_F(RaftDriverTest, AnAcknowledgementLeavesBehindItsWrite) {
  AskForVote();
  story_.clear();
  BringAnEntry();
  EXPECT_EQ(story_, (Story{"disk writes", "holds 1 leaves"}));
}

TEST_F(RaftDriverTest, AfterAFailedWriteNothingLeavesAndNothingIsTriedAgain) {
  store_.FailAppends();
  AskForVote();
  EXPECT_TRUE(driver_->has_failed());
  AskForVote();
  int stops = 0;
  for (const std::string& event : story_) {
    EXPECT_NE(event, "vote leaves");
    stops += event == "node stops" ? 1 : 0;
  }
  EXPECT_EQ(stops, 1);
}

}  // namespace
}  // namespace dfs::replicated_log
