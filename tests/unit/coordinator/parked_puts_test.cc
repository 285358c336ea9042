#include "server/coordinator/parked_puts.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "common/checksum.h"
#include "common/status_macros.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::coordinator {
namespace {


// Stands still until it is moved, and then runs what is due.
class VirtualTime final : public Clock, public Executor {
 public:
  [[nodiscard]] MonotonicTime Now() const override { return now_; }
  [[nodiscard]] absl::Time WallNow() const override { return now_; }
  void Post(Task task) override { PostAt(now_, std::move(task)); }
  void PostAt(MonotonicTime when, Task task) override { tasks_.emplace(when, std::move(task)); }
  void Advance(absl::Duration by) {
    now_ += by;
    while (!tasks_.empty() && tasks_.begin()->first <= now_) {
      Task task = std::move(tasks_.begin()->second);
      tasks_.erase(tasks_.begin());
      task();
    }
  }

 private:
  absl::Time now_ = absl::FromUnixSeconds(1'000'000);
  std::multimap<MonotonicTime, Task> tasks_;
};

class ParkedPutsTest : public ::testing::Test {
 protected:
  ParkedPutsTest() {
    nodes_.parts.chunk_bytes = 4 * kMiB;
    MakeParked({});
  }
  void MakeParked(const ParkLimits& limits) { parked_ = std::make_unique<ParkedPuts>(limits, &time_, &time_); }

  api::PutHeader NewHeader(const std::string& name, char token) {
    api::PutHeader header;
    header.set_name(name);
    *header.mutable_request_id() = nodes_.NextId();
    header.set_size(bytes_.size());
    header.set_resume_token(std::string(ParkedPuts::kTokenBytes, token));
    return header;
  }
  // Bytes [from, to) of the file, a MiB at a time.
  void Send(PutOperation* put, std::size_t from, std::size_t to) {
    for (std::size_t at = from; at < to; at += kMiB) {
      const std::string part = bytes_.substr(at, std::min(kMiB, to - at));
      ASSERT_TRUE(put->Append(Slices::CopyOf(part), Crc32c(part.data(), part.size())).ok());
    }
  }
  // A put whose stream breaks after so many bytes; whether they are kept.
  bool Break(const api::PutHeader& header, std::size_t bytes, const std::string& owner = "") {
    auto ticket = parked_->Begin(owner, header);
    EXPECT_TRUE(ticket.ok()) << ticket.status();
    auto put = std::make_unique<PutOperation>(nodes_.parts);
    EXPECT_TRUE(put->Begin(header).ok());
    Send(put.get(), 0, bytes);
    return parked_->Park(*std::move(ticket), std::move(put));
  }
  // Until so many bytes wait for the replica that hangs: the other two take all they have.
  static void AwaitQueued(const PutOperation& put, std::size_t bytes) {
    Event never;
    for (const MonotonicTime end = SystemClock().Now() + absl::Seconds(30);
         put.queued_bytes() > bytes && SystemClock().Now() < end;) {
      never.WaitFor(absl::Milliseconds(1));
    }
    ASSERT_EQ(put.queued_bytes(), bytes);
  }
  absl::StatusOr<ParkedPuts::Resumed> Resume(api::PutHeader header, std::size_t at, const std::string& owner = "") {
    header.set_resume_offset(at);
    return parked_->Resume(owner, header);
  }
  absl::StatusOr<api::PutProgressResponse> Find(const api::PutHeader& header, const std::string& owner = "") {
    api::PutProgressRequest request;
    request.set_bucket(header.bucket());
    request.set_name(header.name());
    request.set_resume_token(header.resume_token());
    return parked_->Find(owner, request);
  }
  // The rest of the file, from another stream.
  absl::StatusOr<api::PutResponse> GoOn(const api::PutHeader& header, std::size_t at) {
    DFS_ASSIGN_OR_RETURN(ParkedPuts::Resumed resumed, Resume(header, at));
    Send(resumed.put.get(), at, bytes_.size());
    api::PutFinish finish;
    finish.set_size(bytes_.size());
    finish.set_crc32c(Crc32c(bytes_.data(), bytes_.size()));
    return resumed.put->Finish(finish);
  }
  std::size_t Aborted() const {
    return static_cast<std::size_t>(std::count_if(nodes_.leader.done.begin(), nodes_.leader.done.end(),
                                                  [](const auto& done) { return !done.second; }));
  }

  const std::string bytes_ = TestBytes(9 * kMiB + 17, 1);
  FakeNodes nodes_;
  VirtualTime time_;
  std::unique_ptr<ParkedPuts> parked_;  // before the nodes goes what writes to them
};

TEST_F(ParkedPutsTest, AnotherStreamGoesOnWhereTheFirstBroke) {
  for (const std::size_t broken_at : {kMiB, 4 * kMiB, 6 * kMiB + kMiB / 2, bytes_.size()}) {
    const auto header = NewHeader("f" + std::to_string(broken_at), 't');
    ASSERT_TRUE(Break(header, broken_at));
    EXPECT_EQ(nodes_.Get(header.name()).status().code(), absl::StatusCode::kNotFound);
    time_.Advance(absl::Seconds(59));
    const auto found = Find(header);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_FALSE(found->is_open());
    EXPECT_EQ(found->size(), broken_at);
    EXPECT_EQ(found->crc32c(), Crc32c(bytes_.data(), broken_at));
    const auto put = GoOn(header, broken_at);
    ASSERT_TRUE(put.ok()) << put.status();
    EXPECT_EQ(*nodes_.Get(header.name()), bytes_);
    EXPECT_EQ(Find(header).status().code(), absl::StatusCode::kNotFound) << "it is over";
  }
  EXPECT_EQ(nodes_.leader.done.size(), 4u) << "one transaction each";
  EXPECT_EQ(Aborted(), 0u);
  EXPECT_EQ(parked_->counts().parked, 0u);
  EXPECT_EQ(parked_->counts().resumed, 4u);
}

TEST_F(ParkedPutsTest, APutMayBreakManyTimes) {
  const auto header = NewHeader("f", 't');
  ASSERT_TRUE(Break(header, 2 * kMiB));
  for (std::size_t at = 2 * kMiB; at < 9 * kMiB; at += kMiB) {
    time_.Advance(absl::Seconds(40));
    auto resumed = Resume(header, at);
    ASSERT_TRUE(resumed.ok()) << resumed.status();
    Send(resumed->put.get(), at, at + kMiB);
    ASSERT_TRUE(parked_->Park(std::move(resumed->ticket), std::move(resumed->put)));
  }
  ASSERT_TRUE(GoOn(header, 9 * kMiB).ok());
  EXPECT_EQ(*nodes_.Get("f"), bytes_);
}

// Rule R14: the leader has changed while nobody sent anything.
TEST_F(ParkedPutsTest, ALeaderChangeMeanwhileIsSurvived) {
  const auto header = NewHeader("f", 't');
  ASSERT_TRUE(Break(header, 5 * kMiB));
  nodes_.leader.rebegins = 1;
  const auto put = GoOn(header, 5 * kMiB);
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(*nodes_.Get("f"), bytes_);
}

TEST_F(ParkedPutsTest, ItIsAbortedWhenItsTimeIsOver) {
  const auto early = NewHeader("early", 'a');
  const auto late = NewHeader("late", 'b');
  ASSERT_TRUE(Break(early, 2 * kMiB));
  time_.Advance(absl::Seconds(30));
  ASSERT_TRUE(Break(late, 2 * kMiB));
  time_.Advance(absl::Seconds(31));
  EXPECT_EQ(Aborted(), 1u);
  EXPECT_EQ(Find(early).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Resume(early, 2 * kMiB).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Find(late).ok());
  time_.Advance(absl::Seconds(30));
  EXPECT_EQ(Aborted(), 2u);
  EXPECT_EQ(Find(late).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(parked_->counts().expired, 2u);
  EXPECT_EQ(parked_->counts().parked, 0u);
  EXPECT_EQ(nodes_.Get("early").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ParkedPutsTest, AGapIsRefusedAndDoesNoHarm) {
  const auto header = NewHeader("f", 't');
  ASSERT_TRUE(Break(header, 3 * kMiB));
  for (const std::size_t at : {std::size_t{0}, 3 * kMiB - 1, 3 * kMiB + 1, 9 * kMiB}) {
    EXPECT_EQ(Resume(header, at).status().code(), absl::StatusCode::kInvalidArgument) << at;
  }
  ASSERT_TRUE(GoOn(header, 3 * kMiB).ok());
  EXPECT_EQ(*nodes_.Get("f"), bytes_);
}

TEST_F(ParkedPutsTest, OneStreamAtATime) {
  const auto header = NewHeader("f", 't');
  {
    const auto first = parked_->Begin("", header);
    ASSERT_TRUE(first.ok());
    EXPECT_EQ(parked_->Begin("", header).status().code(), absl::StatusCode::kAborted);
    EXPECT_EQ(Resume(header, 0).status().code(), absl::StatusCode::kAborted);
    EXPECT_TRUE(Find(header)->is_open());
  }
  EXPECT_EQ(Find(header).status().code(), absl::StatusCode::kNotFound) << "it ended, and was not parked";
  ASSERT_TRUE(Break(header, 2 * kMiB));
  auto first = Resume(header, 2 * kMiB);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(Resume(header, 2 * kMiB).status().code(), absl::StatusCode::kAborted);
  EXPECT_TRUE(Find(header)->is_open());
  // And a second break gives it back.
  ASSERT_TRUE(parked_->Park(std::move(first->ticket), std::move(first->put)));
  EXPECT_TRUE(Resume(header, 2 * kMiB).ok());
}

TEST_F(ParkedPutsTest, WhatIsAnothersIsNotThere) {
  const auto header = NewHeader("f", 't');
  ASSERT_TRUE(Break(header, 2 * kMiB, "alice"));
  EXPECT_EQ(Find(header, "mallory").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Resume(header, 2 * kMiB, "mallory").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Resume(header, 2 * kMiB, "").status().code(), absl::StatusCode::kNotFound);
  auto other = header;
  other.set_name("g");
  EXPECT_EQ(Find(other, "alice").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Resume(other, 2 * kMiB, "alice").status().code(), absl::StatusCode::kNotFound);
  other = header;
  *other.mutable_request_id() = nodes_.NextId();
  EXPECT_EQ(Resume(other, 2 * kMiB, "alice").status().code(), absl::StatusCode::kNotFound);
  other = header;
  other.set_size(bytes_.size() + 1);
  EXPECT_EQ(Resume(other, 2 * kMiB, "alice").status().code(), absl::StatusCode::kNotFound);
  other = header;
  other.set_resume_token(std::string(ParkedPuts::kTokenBytes, 'u'));
  EXPECT_EQ(Resume(other, 2 * kMiB, "alice").status().code(), absl::StatusCode::kNotFound);
  other.set_resume_token("short");
  EXPECT_EQ(parked_->Begin("alice", other).status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_TRUE(Resume(header, 2 * kMiB, "alice").ok());
}

TEST_F(ParkedPutsTest, BeyondTheNumberTheOldestGoes) {
  ParkLimits limits;
  limits.puts_max = 2;
  MakeParked(limits);
  for (const char token : {'b', 'a', 'c'}) {
    ASSERT_TRUE(Break(NewHeader("f", token), kMiB));
    time_.Advance(absl::Seconds(1));
  }
  EXPECT_EQ(Aborted(), 1u);
  EXPECT_EQ(Find(NewHeader("f", 'b')).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Find(NewHeader("f", 'a')).ok());
  EXPECT_TRUE(Find(NewHeader("f", 'c')).ok());
  EXPECT_EQ(parked_->counts().displaced, 1u);
  EXPECT_EQ(parked_->counts().parked, 2u);
}

// A replica that takes nothing: what waits for it is memory.
TEST_F(ParkedPutsTest, BeyondTheMemoryTheOldestGoes) {
  constexpr std::size_t kStuck = 7 * kMiB;
  ParkLimits limits;
  limits.queued_bytes_max = kStuck + kStuck / 2;
  MakeParked(limits);
  nodes_.parts.chunk_bytes = 64 * kMiB;
  nodes_.parts.progress_timeout = absl::Minutes(10);
  nodes_.peers.hangs_after = {{3, kMiB}};
  for (const char token : {'a', 'b'}) {
    const auto header = NewHeader("f", token);
    auto ticket = parked_->Begin("", header);
    auto put = std::make_unique<PutOperation>(nodes_.parts);
    ASSERT_TRUE(put->Begin(header).ok());
    Send(put.get(), 0, 8 * kMiB);
    AwaitQueued(*put, kStuck);
    ASSERT_TRUE(parked_->Park(*std::move(ticket), std::move(put)));
  }
  EXPECT_EQ(Find(NewHeader("f", 'a')).status().code(), absl::StatusCode::kNotFound);
  EXPECT_TRUE(Find(NewHeader("f", 'b')).ok());
  parked_->Stop();
}

// It would go in the end, after all others.
TEST_F(ParkedPutsTest, APutThatIsOverTheMemoryByItselfDisplacesNobody) {
  constexpr std::size_t kStuck = 7 * kMiB;
  ParkLimits limits;
  limits.queued_bytes_max = kStuck - 1;
  MakeParked(limits);
  const auto innocent = NewHeader("f", 'a');
  ASSERT_TRUE(Break(innocent, 2 * kMiB));
  nodes_.parts.chunk_bytes = 64 * kMiB;
  nodes_.parts.progress_timeout = absl::Minutes(10);
  nodes_.peers.hangs_after = {{3, kMiB}};
  const auto header = NewHeader("g", 'b');
  auto ticket = parked_->Begin("", header);
  auto put = std::make_unique<PutOperation>(nodes_.parts);
  ASSERT_TRUE(put->Begin(header).ok());
  Send(put.get(), 0, 8 * kMiB);
  AwaitQueued(*put, kStuck);
  EXPECT_FALSE(parked_->Park(*std::move(ticket), std::move(put)));
  EXPECT_TRUE(Find(innocent).ok());
  EXPECT_EQ(Find(header).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(parked_->counts().displaced, 0u);
}

TEST_F(ParkedPutsTest, NothingIsKeptThatIsNotWorthItOrNotWanted) {
  EXPECT_FALSE(Break(NewHeader("f", 'a'), kMiB - 1));
  EXPECT_EQ(Find(NewHeader("f", 'a')).status().code(), absl::StatusCode::kNotFound);
  ParkLimits none;
  none.window = absl::ZeroDuration();
  MakeParked(none);
  EXPECT_FALSE(Break(NewHeader("f", 'b'), 3 * kMiB));
  EXPECT_EQ(Aborted(), 2u);
  EXPECT_EQ(parked_->counts().parked, 0u);
}

TEST_F(ParkedPutsTest, StopAbortsWhatIsParkedAndKeepsNothingMore) {
  ASSERT_TRUE(Break(NewHeader("f", 'a'), 2 * kMiB));
  const auto header = NewHeader("g", 'b');
  auto ticket = parked_->Begin("", header);
  auto put = std::make_unique<PutOperation>(nodes_.parts);
  ASSERT_TRUE(put->Begin(header).ok());
  Send(put.get(), 0, 2 * kMiB);
  parked_->Stop();
  EXPECT_EQ(Aborted(), 1u);
  EXPECT_FALSE(parked_->Park(*std::move(ticket), std::move(put)));
  EXPECT_EQ(Aborted(), 2u);
  EXPECT_EQ(Find(header).status().code(), absl::StatusCode::kNotFound);
  time_.Advance(absl::Minutes(2));
}

}  // namespace
}  // namespace dfs::coordinator
