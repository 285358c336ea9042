#include "proto/wire_status.h"

#include <gtest/gtest.h>

#include <string>

namespace dfs {
namespace {

using v1::ErrorDetail;

TEST(WireStatus, EveryCanonicalCodeSurvivesBothWays) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "some text");
    const grpc::Status wire = ToGrpc(status);
    EXPECT_EQ(static_cast<int>(wire.error_code()), code);
    EXPECT_EQ(wire.error_message(), "some text");
    const absl::Status back = FromGrpc(wire);
    EXPECT_EQ(back.code(), status.code());
    EXPECT_EQ(back.message(), status.message());
    EXPECT_EQ(OutcomeOf(back), OutcomeOf(status));
  }
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
  EXPECT_TRUE(FromGrpc(grpc::Status::OK).ok());
}

TEST(WireStatus, DetailSurvivesBothWays) {
  ErrorDetail detail;
  detail.set_reason(ErrorDetail::NO_QUORUM);
  detail.set_outcome(ErrorDetail::NOTHING_CHANGED);
  detail.set_leader_address("h:1");
  detail.set_retry_after_ms(250);
  detail.add_missing_nodes("n2");
  detail.add_missing_nodes("n3");
  const absl::Status status =
      FromGrpc(ToGrpc(ErrorWithDetail(absl::StatusCode::kUnavailable, "no quorum", detail)));
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  const auto back = DetailOf(status);
  ASSERT_TRUE(back.has_value());
  EXPECT_EQ(back->SerializeAsString(), detail.SerializeAsString());
}

TEST(WireStatus, ForeignDetailIsDropped) {
  const grpc::Status wire(grpc::StatusCode::ABORTED, "text", "\xFF\xFF not a detail");
  const absl::Status status = FromGrpc(wire);
  EXPECT_EQ(status.code(), absl::StatusCode::kAborted);
  const auto detail = DetailOf(status);
  ASSERT_TRUE(detail.has_value());
  EXPECT_EQ(detail->reason(), ErrorDetail::REASON_UNSPECIFIED);
  EXPECT_EQ(detail->outcome(), ErrorDetail::NOTHING_CHANGED);
}

// A broken connection is UNAVAILABLE to gRPC; the work may have been done all the same.
TEST(WireStatus, UnavailableMadeByTheTransportIsOfUnknownOutcome) {
  const absl::Status broken = FromGrpc(grpc::Status(grpc::StatusCode::UNAVAILABLE, "reset"));
  EXPECT_EQ(OutcomeOf(broken), ErrorDetail::UNKNOWN);
  // It stays so when a node passes it on; one that a node makes itself means "nothing changed".
  EXPECT_EQ(OutcomeOf(FromGrpc(ToGrpc(broken))), ErrorDetail::UNKNOWN);
  EXPECT_EQ(OutcomeOf(FromGrpc(ToGrpc(absl::UnavailableError("no leader")))),
            ErrorDetail::NOTHING_CHANGED);
}

// A peer may send any number as its code (here: those that the enumeration can hold).
TEST(WireStatus, CodesThatDoNotExistAreUnknownAndNeverOk) {
  for (const int code : {17, 25, 31}) {
    const absl::Status status =
        FromGrpc(grpc::Status(static_cast<grpc::StatusCode>(code), "strange"));
    EXPECT_FALSE(status.ok());
    EXPECT_EQ(status.code(), absl::StatusCode::kUnknown) << code;
    EXPECT_EQ(ToGrpc(status).error_code(), grpc::StatusCode::UNKNOWN) << code;
    EXPECT_EQ(OutcomeOf(status), ErrorDetail::UNKNOWN);
  }
}

TEST(WireStatus, OutcomeOfErrorsWithoutDetailFollowsTheCode) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "");
    const bool is_unknown = status.code() == absl::StatusCode::kCancelled ||
                            status.code() == absl::StatusCode::kUnknown ||
                            status.code() == absl::StatusCode::kDeadlineExceeded ||
                            status.code() == absl::StatusCode::kInternal;
    EXPECT_EQ(OutcomeOf(status), is_unknown ? ErrorDetail::UNKNOWN : ErrorDetail::NOTHING_CHANGED)
        << code;
  }
}

TEST(WireStatus, OutcomeOfDetailWinsOverTheCode) {
  EXPECT_EQ(OutcomeOf(ErrorWithReason(absl::StatusCode::kUnavailable, "",
                                      ErrorDetail::REASON_UNSPECIFIED, ErrorDetail::UNKNOWN)),
            ErrorDetail::UNKNOWN);
  EXPECT_EQ(OutcomeOf(ErrorWithReason(absl::StatusCode::kInternal, "", ErrorDetail::NOT_LEADER)),
            ErrorDetail::NOTHING_CHANGED);
  EXPECT_EQ(OutcomeOf(ErrorWithReason(absl::StatusCode::kInternal, "", ErrorDetail::NOT_LEADER,
                                      ErrorDetail::OUTCOME_UNSPECIFIED)),
            ErrorDetail::UNKNOWN);
}

}  // namespace
}  // namespace dfs
