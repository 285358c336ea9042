// Puts that are gone on with where they stopped.
#include <gtest/gtest.h>

#include <cstddef>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "proto/wire_status.h"
#include "tests/unit/client/file_client_fixture.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

// A put of so much that breaks after its first message has not sent its last one: a stream holds 16 MiB that nobody has read.
constexpr std::size_t kMoreThanIsOnItsWay = (std::size_t{24} << 20) + 5;

TEST_F(FileClientTest, PutThatMayBeGoneOnWithSendsNoByteTwice) {
  a.Inject("Put", {Fault::kBreakMidway});
  const std::string bytes = Pattern(kMoreThanIsOnItsWay);
  StringSource source(bytes);
  ResumablePut resumable;
  std::vector<PutTrace> told;
  resumable.on_begin = [&](const PutTrace& trace) { told.push_back(trace); };
  PutOptions options;
  options.resumable = &resumable;
  const auto put = Client()->Put("f", source, options);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes);
  EXPECT_EQ(resumable.resumed_at, std::uint64_t{1} << 20);
  EXPECT_EQ(a.bytes_received(), bytes.size());
  EXPECT_EQ(a.calls("Put"), 2);
  EXPECT_EQ(b.calls("Put") + a.calls("Settle") + b.calls("Settle"), 0);
  ASSERT_EQ(told.size(), 1U);
  EXPECT_EQ(told[0].token.size(), 16U);
  EXPECT_EQ(told[0].address, a.address());
}

// What a client that is gone has left at node a.
class LeftPut : public FileClientTest {
 protected:
  LeftPut() {
    left_.token = std::string(16, 't');
    left_.request_id.set_session(std::string(16, 's'));
    left_.request_id.set_sequence(7);
    left_.address = a.address();
  }
  void Park(const std::string& bytes, int is_open_times = 0) {
    v1::PutHeader header;
    header.set_resume_token(left_.token);
    *header.mutable_request_id() = left_.request_id;
    a.Park(header, bytes, is_open_times);
  }
  absl::StatusOr<v1::PutResponse> Put() {
    StringSource source(bytes_);
    PutOptions options;
    options.resumable = &resumable_;
    const auto client = Client();
    auto end = client->EndLeft(left_, "f", source, options);
    if (!end.ok()) return end.status();
    had_happened_ = end->had_happened;
    return end->put ? *end->put : client->Put("f", source, options);
  }
  std::uint64_t LastSequence() const {
    MutexLock lock(&state->mutex);
    return state->seen.back().sequence();
  }

  const std::string bytes_ = Pattern((std::size_t{3} << 20) + 5);
  PutTrace left_;
  ResumablePut resumable_;
  bool had_happened_ = false;
};

TEST_F(LeftPut, AnotherClientSendsTheRest) {
  for (const std::size_t there : {std::size_t{2'000'000}, bytes_.size()}) {
    Park(bytes_.substr(0, there), /*is_open_times=*/3);
    const std::uint64_t received = a.bytes_received();
    const auto put = Put();
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_TRUE(StoredBytes("f") == bytes_);
    EXPECT_EQ(a.bytes_received() - received, bytes_.size() - there);
    EXPECT_EQ(resumable_.resumed_at, there);
    EXPECT_EQ(LastSequence(), left_.request_id.sequence());
    EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 0);
    left_.request_id.set_sequence(8);
  }
}

TEST_F(LeftPut, ItIsFoundAtWhicheverNodeHasIt) {
  Park(bytes_.substr(0, 2'000'000));
  left_.address = "127.0.0.1:1";
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(resumable_.resumed_at, 2'000'000U);
  EXPECT_TRUE(StoredBytes("f") == bytes_);
}

TEST_F(LeftPut, OtherBytesAreSentAnewUnderAnotherRequest) {
  std::string other = bytes_.substr(0, 2'000'000);
  other[1'999'999] ^= 1;
  Park(other);
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(resumable_.resumed_at, 0U);
  EXPECT_NE(LastSequence(), left_.request_id.sequence());
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1) << "the old one must never happen";
  EXPECT_EQ(resumable_.why_anew, "it does not begin with what was sent");
}

TEST_F(LeftPut, WhatHadHappenedIsFoundAndNotSentAgain) {
  Park(bytes_);
  ASSERT_TRUE(Put().ok());
  const auto put = Put();  // nobody has it any more
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(a.calls("Put") + b.calls("Put"), 1);
  EXPECT_EQ(resumable_.resumed_at, bytes_.size());
  EXPECT_TRUE(had_happened_);
}

TEST_F(LeftPut, WhatNobodyHasIsSettledAndBegunAnew) {
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(Versions(), 1U);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 1);
  EXPECT_EQ(resumable_.resumed_at, 0U);
}

TEST_F(LeftPut, ABreakOfTheRestIsGoneOnFromToo) {
  Park(bytes_.substr(0, 1'000'000));
  a.Inject("Put", {Fault::kBreakMidway});
  ASSERT_TRUE(Put().ok());
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(resumable_.resumed_at, 1'000'000U + (std::size_t{1} << 20));
}

// The answer to the last message was lost: it happened once.
TEST_F(LeftPut, ALostAnswerIsFound) {
  Park(bytes_.substr(0, 1'000'000));
  a.Inject("Put", {Fault::kBreakAfter});
  const auto put = Put();
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().version(), 1U);
  EXPECT_EQ(Versions(), 1U);
}

// The cluster has forgotten: that is not "it did not happen".
TEST_F(LeftPut, WhatIsForgottenIsOfUnknownOutcome) {
  a.Inject("Settle", {Fault::kSessionExpired});
  const auto put = Put();
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::SESSION_EXPIRED);
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::UNKNOWN);
  EXPECT_EQ(Versions(), 0U);
}

// A put that may be gone on with, and what it was told.
class BrokenPut : public FileClientTest {
 protected:
  // Bytes in memory that say when they are led elsewhere.
  class Source final : public ByteSource {
   public:
    explicit Source(std::string bytes) : inner_(std::move(bytes)) {}
    [[nodiscard]] std::optional<std::uint64_t> size() const override { return inner_.size(); }
    [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
      if (is_at_begin_) ++reads_of_first_byte;
      is_at_begin_ = false;
      return inner_.Read(bytes_max);
    }
    [[nodiscard]] bool Rewind() override {
      if (on_move) on_move();
      is_at_begin_ = true;
      return inner_.Rewind();
    }
    [[nodiscard]] bool SkipTo(std::uint64_t offset) override {
      if (on_move) on_move();
      if (!can_skip || !inner_.SkipTo(offset)) return false;
      is_at_begin_ = offset == 0;
      return true;
    }
    std::function<void()> on_move;
    bool can_skip = true;
    int reads_of_first_byte = 0;

   private:
    StringSource inner_;
    bool is_at_begin_ = true;
  };

  BrokenPut() {
    resumable_.on_begin = [this](const PutTrace& trace) {
      told_.push_back(trace);
      if (on_begin_) std::exchange(on_begin_, nullptr)();
    };
    options_.resumable = &resumable_;
  }
  void Outage(int calls) {
    const std::vector<Fault> silence(static_cast<std::size_t>(calls), Fault::kBreakBefore);
    for (FakeNode* node : {&a, &b}) {
      node->Inject("Hello", silence);
      node->Inject("PutProgress", silence);
    }
  }

  const std::string bytes_ = Pattern(kMoreThanIsOnItsWay);
  Source source_{bytes_};
  std::vector<PutTrace> told_;
  std::function<void()> on_begin_;  // once, at the first byte
  ResumablePut resumable_;
  PutOptions options_;
};

TEST_F(BrokenPut, WhatWasSentIsNotReadAgain) {
  a.Inject("Put", {Fault::kBreakMidway});
  const auto put = Client()->Put("f", source_, options_);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(resumable_.resumed_at, std::uint64_t{1} << 20);
  EXPECT_EQ(source_.reads_of_first_byte, 1);
  a.Inject("Put", {Fault::kBreakMidway});
  Source plain(bytes_);
  plain.can_skip = false;
  ASSERT_TRUE(Client()->Put("g", plain, options_).ok());
  EXPECT_TRUE(StoredBytes("g") == bytes_);
  EXPECT_EQ(plain.reads_of_first_byte, 2) << "it is read up to there";
}

// Its result must not be forgotten while it is gone on with: a change of another thread would acknowledge it.
TEST_F(BrokenPut, IsOpenUntilItIsDecided) {
  const auto client = Client();
  a.Inject("Put", {Fault::kBreakMidway, Fault::kNone, Fault::kBreakAfter});
  source_.on_move = [&] {
    if (a.calls("PutProgress") == 0) return;
    source_.on_move = nullptr;
    StringSource other("x");
    EXPECT_TRUE(client->Put("other", other).ok());
  };
  options_.if_absent = true;
  const auto put = client->Put("f", source_, options_);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(Versions(), 2U) << "one of each";
  EXPECT_EQ(told_.size(), 1U);
}

TEST_F(BrokenPut, SurvivesAnOutage) {
  FileClientOptions options;
  options.calls.retry.unreachable_window = absl::Milliseconds(20);
  a.Inject("Put", {Fault::kBreakMidway});
  on_begin_ = [this] { Outage(8); };
  const auto put = Client(options)->Put("f", source_, options_);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(resumable_.resumed_at, std::uint64_t{1} << 20);
  EXPECT_EQ(a.bytes_received() + b.bytes_received(), bytes_.size());
}

TEST_F(BrokenPut, OutageThatDoesNotEndLeavesItToALaterRun) {
  FileClientOptions options;
  options.calls.retry.unreachable_window = absl::Milliseconds(20);
  options.calls.retry.timeout = absl::Milliseconds(300);
  a.Inject("Put", {Fault::kBreakMidway});
  on_begin_ = [this] { Outage(1'000); };
  const auto put = Client(options)->Put("f", source_, options_);
  EXPECT_TRUE(absl::IsUnavailable(put.status())) << put.status();
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  ASSERT_EQ(told_.size(), 1U);
  for (FakeNode* node : {&a, &b}) node->ClearFaults();
  StringSource again(bytes_);
  const auto end = Client()->EndLeft(told_[0], "f", again, options_);
  ASSERT_TRUE(end.ok() && end->put) << end.status();
  EXPECT_EQ(a.bytes_received() + b.bytes_received(), bytes_.size());
}

// A cluster that cannot take the rest is not asked without pause, nor for ever.
TEST_F(BrokenPut, BacksOffAndEnds) {
  FileClientOptions options;
  options.calls.retry.timeout = absl::Milliseconds(500);
  std::vector<Fault> faults(1'000, Fault::kOverloaded);
  faults[0] = Fault::kBreakMidway;
  a.Inject("Put", faults);
  const auto put = Client(options)->Put("f", source_, options_);
  EXPECT_EQ(ReasonOf(put.status()), ErrorDetail::OVERLOADED) << put.status();
  EXPECT_EQ(OutcomeOf(put.status()), ErrorDetail::NOTHING_CHANGED);
  EXPECT_LT(a.calls("Put"), 30);
  EXPECT_EQ(told_.size(), 1U) << "never from its beginning";
}

// It is settled if it is not repeated; what is settled cannot be gone on with.
TEST_F(BrokenPut, IsRepeatedBehindAnAttemptOfUnknownEnd) {
  a.Inject("Put", {Fault::kBreakUnstored});
  b.Inject("Put", {Fault::kBreakMidway});
  const auto put = Client()->Put("f", source_, options_);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_TRUE(StoredBytes("f") == bytes_);
  EXPECT_EQ(a.calls("Settle") + b.calls("Settle"), 0);
}

// A round that reaches nobody has not broken midway, whatever the one before has.
TEST_F(BrokenPut, NobodyReachableIsSaidOnce) {
  FileClientOptions options;
  options.calls.retry.unreachable_window = absl::Milliseconds(500);
  options.calls.retry.definite_window = absl::Milliseconds(500);  // the stream may have begun before they die
  a.Inject("Put", {Fault::kBreakAndForget});
  source_.on_move = [this] {
    if (a.calls("PutProgress") == 0) return;
    a.Kill();
    b.Kill();
  };
  const absl::Time began = absl::Now();
  const auto put = Client(options)->Put("f", source_, options_);
  EXPECT_TRUE(IsUnreachable(put.status())) << put.status();
  EXPECT_LT(absl::Now() - began, absl::Milliseconds(2'500)) << "six rounds take 3 s";
}

}  // namespace
}  // namespace dfs::client
