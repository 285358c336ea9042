#include "common/operation_metrics.h"

#include <glog/logging.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "common/log_text.h"

namespace dfs {
namespace {

// Of OperationMetrics::kResults.
std::size_t IndexOfResult(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
      return 0;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kAborted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kCancelled:
      return 1;
    default:
      return 2;
  }
}

void AppendMs(std::string_view name, absl::Duration time, std::string* out) {
  absl::StrAppendFormat(out, " %s_ms=%.3f", std::string(name), absl::ToDoubleMilliseconds(time));
}

}  // namespace

std::string_view NameOf(Door door) { return door == Door::kGrpc ? "grpc" : "http"; }

std::string_view NameOf(Operation operation) {
  constexpr std::array<std::string_view, kOperations> kNames = {
      "put",    "get",      "stat",  "locate", "list", "remove",
      "undelete", "clear", "settle", "move", "make_bucket", "remove_bucket", "list_buckets"};
  return kNames.at(static_cast<std::size_t>(operation));
}

std::string_view NameOf(Phase phase) {
  constexpr std::array<std::string_view, kPhases> kNames = {"begin",  "transfer", "queue",      "sync",
                                                            "commit", "resolve",  "first_byte", "rest"};
  return kNames.at(static_cast<std::size_t>(phase));
}

Operation OperationOf(Phase phase) { return phase < Phase::kResolve ? Operation::kPut : Operation::kGet; }

std::optional<Phase> PhaseTimer::Enter(std::optional<Phase> phase) {
  const MonotonicTime now = clock_->Now();
  if (phase_) *times_.at(static_cast<std::size_t>(*phase_)) += now - since_;
  if (phase) {
    auto& time = times_.at(static_cast<std::size_t>(*phase));
    if (!time) time = absl::ZeroDuration();
  }
  since_ = now;
  return std::exchange(phase_, phase);
}

void OperationMetrics::Histogram::Add(absl::Duration took) {
  const auto bound = std::lower_bound(kBounds.begin(), kBounds.end(), absl::ToDoubleSeconds(took));
  ++buckets.at(static_cast<std::size_t>(bound - kBounds.begin()));
  microseconds += static_cast<std::uint64_t>(std::max<std::int64_t>(0, absl::ToInt64Microseconds(took)));
}

OperationMetrics::Latencies OperationMetrics::Histogram::Read() const {
  Latencies out;
  std::copy(buckets.begin(), buckets.end(), out.buckets.begin());
  out.seconds = static_cast<double>(microseconds) / 1e6;
  return out;
}

std::string_view OperationMetrics::ResultOf(const absl::Status& status) { return kResults.at(IndexOfResult(status)); }

void OperationMetrics::Record(Door door, Operation operation, const absl::Status& status,
                              absl::Duration took, std::uint64_t bytes_in,
                              std::uint64_t bytes_out) {
  Cell& cell = cells_.at(static_cast<std::size_t>(door)).at(static_cast<std::size_t>(operation));
  ++cell.results.at(IndexOfResult(status));
  cell.latencies.Add(took);
  cell.bytes_in += bytes_in;
  cell.bytes_out += bytes_out;
}

void OperationMetrics::RecordPhases(const PhaseTimer& phases) {
  for (std::size_t i = 0; i < kPhases; ++i) {
    if (const auto time = phases.TimeIn(static_cast<Phase>(i))) phases_.at(i).Add(*time);
  }
}

std::vector<OperationMetrics::Row> OperationMetrics::Read() const {
  std::vector<Row> out;
  for (std::size_t door = 0; door < kDoors; ++door) {
    for (std::size_t operation = 0; operation < kOperations; ++operation) {
      const Cell& cell = cells_.at(door).at(operation);
      Row row{static_cast<Door>(door), static_cast<Operation>(operation), {}, {}};
      std::copy(cell.results.begin(), cell.results.end(), row.results.begin());
      row.latencies = cell.latencies.Read();
      row.bytes_in = cell.bytes_in;
      row.bytes_out = cell.bytes_out;
      const bool was_done = std::any_of(row.results.begin(), row.results.end(),
                                        [](std::uint64_t count) { return count > 0; });
      if (was_done) out.push_back(row);
    }
  }
  return out;
}

std::vector<OperationMetrics::PhaseRow> OperationMetrics::ReadPhases() const {
  std::vector<PhaseRow> out;
  for (std::size_t i = 0; i < kPhases; ++i) {
    PhaseRow row{static_cast<Phase>(i), phases_.at(i).Read()};
    const auto& buckets = row.latencies.buckets;
    if (std::any_of(buckets.begin(), buckets.end(), [](std::uint64_t count) { return count > 0; })) out.push_back(row);
  }
  return out;
}

void OperationTimer::About(std::string_view bucket, std::string_view name) {
  if (!VLOG_IS_ON(1)) return;
  about_.clear();
  if (!bucket.empty()) absl::StrAppend(&about_, " bucket=", QuotedForLog(bucket));
  absl::StrAppend(&about_, " name=", QuotedForLog(name));
}

const absl::Status& OperationTimer::End(const absl::Status& status) {
  const absl::Duration took = clock_->Now() - start_;
  phases.Enter(std::nullopt);
  metrics_->Record(door_, operation_, status, took, bytes_in, bytes_out);
  metrics_->RecordPhases(phases);
  if (!VLOG_IS_ON(1)) return status;
  std::string line;
  AppendMs("all", took, &line);
  for (std::size_t i = 0; i < kPhases; ++i) {
    const auto phase = static_cast<Phase>(i);
    if (const auto time = phases.TimeIn(phase)) AppendMs(NameOf(phase), *time, &line);
  }
  if (!status.ok()) {
    absl::StrAppend(&line, " code=", absl::StatusCodeToString(status.code()),
                    " error=", QuotedForLog({status.message().data(), status.message().size()}));
  }
  VLOG(1) << "operation=" << NameOf(operation_) << " door=" << NameOf(door_) << " result=" << OperationMetrics::ResultOf(status)
          << about_ << " bytes_in=" << bytes_in << " bytes_out=" << bytes_out << line;
  return status;
}

}  // namespace dfs
