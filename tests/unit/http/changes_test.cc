// Changes whose answer is lost, and what clients are told of errors.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

#include "proto/error_detail.h"
#include "server/http/changes.h"
#include "server/http/error_answer.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::http {
namespace {

using ::testing::HasSubstr;

// Loses the answers of changes.
class LossyLeader final : public coordinator::FakeLeader {
 public:
  using FakeLeader::FakeLeader;
  enum class Loses { kNothing, kAnswers, kRequests };
  Loses loses = Loses::kNothing;
  bool settles = true;
  std::optional<rpc::Command> lost;
  int settled = 0;

  absl::StatusOr<rpc::CommandResult> Submit(rpc::Command command, absl::Duration timeout) override {
    if (command.has_settle()) {
      ++settled;
      if (!settles) return absl::DeadlineExceededError("nor this one");
    } else if (loses == Loses::kRequests) {
      lost = std::move(command);
      return absl::DeadlineExceededError("lost on its way");
    } else if (loses == Loses::kAnswers) {
      const auto ignored = FakeLeader::Submit(std::move(command), timeout);
      EXPECT_TRUE(ignored.ok());
      return absl::DeadlineExceededError("the answer was lost");
    }
    return FakeLeader::Submit(std::move(command), timeout);
  }
};

class ChangesTest : public ::testing::Test {
 protected:
  ChangesTest() { nodes_.parts.leader = &leader_; }

  absl::StatusOr<v1::PutResponse> Put(const std::string& name, const std::string& content) {
    v1::PutHeader header;
    header.set_name(name);
    bool is_sent = content.empty();
    return changes_.Put(std::move(header), [&]() -> absl::StatusOr<Slices> {
      return std::exchange(is_sent, true) ? Slices() : Slices::CopyOf(content);
    });
  }
  absl::StatusOr<v1::RemoveResponse> Remove(const std::string& name) {
    v1::RemoveRequest request;
    request.set_name(name);
    return changes_.Remove(std::move(request));
  }

  coordinator::FakeNodes nodes_;
  LossyLeader leader_{&nodes_.machine};
  PeerChannels channels_;
  gateway::FileOperations files_{nodes_.parts, &channels_};
  Changes changes_{&files_};
};

TEST_F(ChangesTest, AreExactlyOnceEach) {
  ASSERT_TRUE(Put("a", "one").ok());
  const auto second = Put("a", "two");
  ASSERT_TRUE(second.ok()) << second.status();
  EXPECT_EQ(nodes_.Get("a").value_or("error"), "two");
  EXPECT_EQ(Put("empty", "")->info().size(), 0u);
  EXPECT_EQ(Remove("a")->version(), second->info().version());
  EXPECT_EQ(Remove("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(leader_.settled, 0);
}

TEST_F(ChangesTest, WhatHappenedIsReportedThoughItsAnswerWasLost) {
  leader_.loses = LossyLeader::Loses::kAnswers;
  const auto put = Put("a", "content");
  ASSERT_TRUE(put.ok()) << put.status();
  EXPECT_EQ(put->info().size(), 7u);
  EXPECT_EQ(put->info().name(), "a");
  EXPECT_EQ(nodes_.Get("a").value_or("error"), "content");
  const auto removed = Remove("a");
  ASSERT_TRUE(removed.ok()) << removed.status();
  EXPECT_EQ(removed->version(), put->info().version());
  EXPECT_EQ(leader_.settled, 2);
}

TEST_F(ChangesTest, WhatIsReportedAsFailedNeverHappens) {
  leader_.loses = LossyLeader::Loses::kRequests;
  const auto put = Put("a", "content");
  EXPECT_EQ(put.status().code(), absl::StatusCode::kUnavailable) << put.status();
  EXPECT_EQ(OutcomeOf(put.status()), v1::ErrorDetail::NOTHING_CHANGED);
  ASSERT_TRUE(leader_.lost.has_value());
  // It comes after all.
  EXPECT_EQ(leader_.Apply(*leader_.lost).code(), rpc::CommandResult::SETTLED);
  EXPECT_EQ(nodes_.Get("a").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(ChangesTest, WhatCannotBeFoundOutIsUnknown) {
  leader_.loses = LossyLeader::Loses::kRequests;
  leader_.settles = false;
  const auto put = Put("a", "content");
  EXPECT_EQ(OutcomeOf(put.status()), v1::ErrorDetail::UNKNOWN);
  const Response answer = AnswerOf(put.status(), true, "");
  EXPECT_EQ(answer.code, 504);
  EXPECT_THAT(answer.body, HasSubstr("\"outcome\":\"unknown\""));
}

TEST_F(ChangesTest, ABodyThatFailsEndsThePut) {
  v1::PutHeader header;
  header.set_name("a");
  int pieces = 0;
  const auto put = changes_.Put(header, [&]() -> absl::StatusOr<Slices> {
    if (++pieces > 2) return absl::CancelledError("the client is gone");
    return Slices::CopyOf(std::string(1 << 20, 'x'));
  });
  EXPECT_EQ(put.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(nodes_.Get("a").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(leader_.settled, 0) << "it was never to be committed";
}

TEST(ErrorAnswer, EachErrorHasItsCode) {
  using Detail = v1::ErrorDetail;
  const auto code_of = [](absl::StatusCode code, Detail::Reason reason = Detail::REASON_UNSPECIFIED) {
    return AnswerOf(ErrorWithReason(code, "x", reason), true, "").code;
  };
  EXPECT_EQ(code_of(absl::StatusCode::kInvalidArgument, Detail::BAD_NAME), 400);
  EXPECT_EQ(code_of(absl::StatusCode::kNotFound), 404);
  EXPECT_EQ(code_of(absl::StatusCode::kFailedPrecondition, Detail::PRECONDITION), 412);
  EXPECT_EQ(code_of(absl::StatusCode::kAborted), 409);
  EXPECT_EQ(code_of(absl::StatusCode::kUnavailable, Detail::NO_QUORUM), 503);
  EXPECT_EQ(code_of(absl::StatusCode::kResourceExhausted, Detail::OVERLOADED), 503);
  EXPECT_EQ(code_of(absl::StatusCode::kResourceExhausted, Detail::NO_SPACE), 507);
  EXPECT_EQ(code_of(absl::StatusCode::kResourceExhausted, Detail::OVER_QUOTA), 507);
  EXPECT_EQ(code_of(absl::StatusCode::kDataLoss), 500);
  EXPECT_EQ(AnswerOf(absl::DeadlineExceededError("x"), true, "").code, 504);
}

TEST(ErrorAnswer, ServiceUnavailableNamesTheLeaderAndTheMissing) {
  v1::ErrorDetail detail;
  detail.set_reason(v1::ErrorDetail::NO_QUORUM);
  detail.set_outcome(v1::ErrorDetail::NOTHING_CHANGED);
  detail.add_missing_nodes("n2 (\"quoted\")");
  const Response answer =
      AnswerOf(ErrorWithDetail(absl::StatusCode::kUnavailable, "no\nquorum \xff", detail), true, "h:1");
  EXPECT_EQ(answer.body,
            "{\"error\":\"no\\nquorum \xEF\xBF\xBD\",\"leader\":\"h:1\","
            "\"missing_nodes\":[\"n2 (\\\"quoted\\\")\"]}\n");
  EXPECT_EQ(answer.fields,
            (std::vector<std::pair<std::string, std::string>>{{"Retry-After", "1"}}));
}

}  // namespace
}  // namespace dfs::http
