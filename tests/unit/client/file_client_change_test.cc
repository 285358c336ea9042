// Changes: exactly once, and settled where their end is unknown (rule R15).
#include <gtest/gtest.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "common/executor.h"
#include "proto/wire_status.h"
#include "tests/unit/client/file_client_fixture.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

TEST_F(FileClientTest, ShortLeaderlessMomentIsNotNoticed) {
  a.Inject("Put", {Fault::kNotLeader, Fault::kNotLeader});
  b.Inject("Put", {Fault::kNotLeader});
  const auto client = Client();
  StringSource source("x");
  EXPECT_TRUE(client->Put("f", source).ok());
  EXPECT_EQ(Versions(), 1U);
}

TEST_F(FileClientTest, RepeatAfterABrokenAnswerHasTheSameIdAndHappensOnce) {
  a.Inject("Put", {Fault::kBreakAfter});
  const auto client = Client();
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(b.calls("Put"), 1);
  MutexLock lock(&state->mutex);
  ASSERT_EQ(state->seen.size(), 2U);
  EXPECT_EQ(state->seen[0].sequence(), state->seen[1].sequence());
  EXPECT_EQ(state->seen[0].session(), state->seen[1].session());
  EXPECT_EQ(state->seen[0].session().size(), 16U);
  EXPECT_GE(state->seen[0].birth(), 100U);
}

TEST_F(FileClientTest, LaterChangesAcknowledgeEarlierOnes) {
  const auto client = Client();
  for (int i = 0; i < 3; ++i) {
    StringSource source("x");
    ASSERT_TRUE(client->Put("f", source).ok());
  }
  MutexLock lock(&state->mutex);
  for (std::uint64_t i = 0; i < 3; ++i) {
    EXPECT_EQ(state->seen[i].sequence(), i + 1);
    EXPECT_EQ(state->seen[i].acked_below(), i + 1);
  }
}

// Each attempt fails definitely but the first, whose end nobody knows: a report of failure must be
// settled first (rule R15).
TEST_F(FileClientTest, FailureAfterAnUnknownAttemptIsSettledBeforeItIsReported) {
  a.Inject("Put", {Fault::kBreakBefore});
  b.Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  a.Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(300);
  const auto client = Client(options);
  StringSource source("x");
  const auto put = client->Put("f", source);
  EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::NO_QUORUM);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
  EXPECT_EQ(StoredBytes("f"), "(none)");
}

// Done once, whoever answers: the second attempt gets the first one's result, and does not find the source gone.
TEST_F(FileClientTest, MoveIsDoneOnceWhateverBreaks) {
  StoreDirectly("from", "content");
  FileClientOptions options;
  options.writer = "me";
  const auto client = Client(options);
  a.Inject("Move", {Fault::kBreakAfter});
  const auto moved = client->Move("from", "to");
  ASSERT_TRUE(moved.ok()) << moved.status();
  EXPECT_EQ(moved->name(), "to");
  EXPECT_EQ(moved->version(), 2U);
  EXPECT_EQ(moved->writer(), "me");
  EXPECT_EQ(StoredBytes("from"), "(none)");
  EXPECT_EQ(StoredBytes("to"), "content");
  EXPECT_TRUE(absl::IsNotFound(client->Move("from", "to").status()));
  StoreDirectly("from", "other");
  const auto refused = client->Move("from", "to", {.if_version = std::nullopt, .if_absent = true});
  EXPECT_TRUE(absl::IsAlreadyExists(refused.status())) << refused.status();
  EXPECT_EQ(OutcomeOf(refused.status()), ErrorDetail::NOTHING_CHANGED);
}

TEST_F(FileClientTest, SettlementThatSaysItHappenedIsSuccess) {
  a.Inject("Put", {Fault::kBreakAfter});
  b.Inject("Put", std::vector<Fault>(100, Fault::kNotLeader));
  a.Inject("Put", std::vector<Fault>(100, Fault::kNotLeader));
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(300);
  const auto client = Client(options);
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
}

TEST_F(FileClientTest, OutcomeStaysUnknownIfItCannotBeSettled) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Remove", std::vector<Fault>(100, Fault::kBreakBefore));
    node->Inject("Settle", std::vector<Fault>(100, Fault::kNoQuorum));
  }
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(200);
  options.calls.retry.timeout = absl::Milliseconds(400);
  const auto removed = Client(options)->Remove("f");
  EXPECT_FALSE(removed.ok());
  EXPECT_EQ(OutcomeOf(removed.status()), ErrorDetail::UNKNOWN);
}

TEST_F(FileClientTest, DefiniteFailureNeedsNoSettlement) {
  for (FakeNode* node : {&a, &b}) {
    node->Inject("Put", std::vector<Fault>(100, Fault::kNoQuorum));
  }
  FileClientOptions options;
  options.calls.retry.definite_window = absl::Milliseconds(200);
  StringSource source("x");
  const auto put = Client(options)->Put("f", source);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::NO_QUORUM);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  const auto detail = DetailOf(put.status());
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->missing_nodes_size(), 2);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 0);
}

TEST_F(FileClientTest, ForgottenSessionIsReplacedIfNothingWasSentUnderIt) {
  a.Inject("Put", {Fault::kSessionExpired});
  const auto client = Client();
  StringSource source("x");
  const auto put = client->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(Versions(), 1U);
}

TEST_F(FileClientTest, ForgottenSessionAfterAnUnknownAttemptIsUnknown) {
  a.Inject("Put", {Fault::kBreakBefore, Fault::kSessionExpired});
  b.Inject("Put", {Fault::kSessionExpired});
  StringSource source("x");
  const auto put = Client()->Put("f", source);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::SESSION_EXPIRED);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::UNKNOWN);
  EXPECT_EQ(Versions(), 0U);
}

TEST_F(FileClientTest, PutThatBreaksMidwayIsRepeatedFromTheStart) {
  a.Inject("Put", {Fault::kBreakMidway});
  b.Inject("Put", {Fault::kDamage});
  StringSource source(Pattern(5'000'000));
  const auto put = Client()->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == Pattern(5'000'000));
  EXPECT_EQ(Versions(), 1U);
}

// A source like a pipe: neither size nor a way back.
class OneWaySource final : public ByteSource {
 public:
  explicit OneWaySource(std::string bytes) : inner_(std::move(bytes)) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return std::nullopt; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    return inner_.Read(bytes_max);
  }
  [[nodiscard]] bool Rewind() override { return false; }

 private:
  StringSource inner_;
};

TEST_F(FileClientTest, SourceOfUnknownSizeIsStoredWhole) {
  const auto client = Client();
  for (const std::size_t size :
       {std::size_t{0}, std::size_t{5}, std::size_t{1} << 20, (std::size_t{2} << 20) + 3}) {
    OneWaySource source(Pattern(size));
    ASSERT_TRUE(client->Put("f", source).ok());
    EXPECT_TRUE(StoredBytes("f") == Pattern(size)) << size;
  }
}

TEST_F(FileClientTest, PutThatCannotBeRepeatedFailsDefinitely) {
  a.Inject("Put", {Fault::kBreakMidway});
  OneWaySource source(Pattern(50'000'000));
  const auto put = Client()->Put("f", source);
  EXPECT_FALSE(put.ok());
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  EXPECT_EQ(b.calls("Put"), 0);
  EXPECT_EQ(StoredBytes("f"), "(none)");
}

TEST_F(FileClientTest, PutThatCannotBeRepeatedIsSettledIfItsEndIsUnknown) {
  a.Inject("Put", {Fault::kBreakAfter});
  OneWaySource source("x");
  const auto put = Client()->Put("f", source);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
}

TEST_F(FileClientTest, ConditionThatDoesNotHoldChangesNothing) {
  StoreDirectly("f", "old");
  const auto client = Client();
  PutOptions options;
  options.if_version = 0;
  StringSource source("new");
  const auto put = client->Put("f", source, options);
  EXPECT_EQ(put.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::PRECONDITION);
  EXPECT_EQ(StoredBytes("f"), "old");
  options.if_version = 1;
  StringSource again("new");
  EXPECT_TRUE(client->Put("f", again, options).ok());
}

TEST_F(FileClientTest, ManyThreadsShareOneClient) {
  constexpr int kThreads = 16;
  constexpr int kPuts = 40;
  const auto client = Client();
  a.Inject("Put", {Fault::kNone, Fault::kNotLeader, Fault::kBreakAfter, Fault::kBreakBefore});
  Event done;
  Mutex mutex;
  int left = kThreads;
  std::vector<std::string> errors;
  ThreadPool pool("test", kThreads);
  for (int t = 0; t < kThreads; ++t) {
    pool.Post([&, t] {
      for (int i = 0; i < kPuts; ++i) {
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        StringSource source(name);
        const auto put = client->Put(name, source);
        StringSink sink;
        const auto got = client->Get(name, sink);
        MutexLock lock(&mutex);
        if (!put.ok()) errors.emplace_back(put.status().ToString());
        if (!got.ok() || sink.bytes() != name) errors.emplace_back(got.status().ToString());
      }
      MutexLock lock(&mutex);
      if (--left == 0) done.Set();
    });
  }
  done.Wait();
  EXPECT_TRUE(errors.empty()) << errors.front();
  EXPECT_EQ(Versions(), static_cast<std::uint64_t>(kThreads * kPuts));
}

}  // namespace
}  // namespace dfs::client
