#include "common/operation_metrics.h"

#include <algorithm>

namespace dfs {
namespace {

std::size_t ResultOf(const absl::Status& status) {
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

}  // namespace

std::string_view NameOf(Door door) { return door == Door::kGrpc ? "grpc" : "http"; }

std::string_view NameOf(Operation operation) {
  constexpr std::array<std::string_view, kOperations> kNames = {
      "put",    "get",      "stat",  "locate", "list", "remove",
      "undelete", "clear", "settle", "move", "make_bucket", "remove_bucket", "list_buckets"};
  return kNames.at(static_cast<std::size_t>(operation));
}

void OperationMetrics::Record(Door door, Operation operation, const absl::Status& status,
                              absl::Duration took, std::uint64_t bytes_in,
                              std::uint64_t bytes_out) {
  Cell& cell = cells_.at(static_cast<std::size_t>(door)).at(static_cast<std::size_t>(operation));
  const auto bound =
      std::lower_bound(kBounds.begin(), kBounds.end(), absl::ToDoubleSeconds(took));
  ++cell.results.at(ResultOf(status));
  ++cell.buckets.at(static_cast<std::size_t>(bound - kBounds.begin()));
  cell.microseconds +=
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, absl::ToInt64Microseconds(took)));
  cell.bytes_in += bytes_in;
  cell.bytes_out += bytes_out;
}

std::vector<OperationMetrics::Row> OperationMetrics::Read() const {
  std::vector<Row> out;
  for (std::size_t door = 0; door < kDoors; ++door) {
    for (std::size_t operation = 0; operation < kOperations; ++operation) {
      const Cell& cell = cells_.at(door).at(operation);
      Row row{static_cast<Door>(door), static_cast<Operation>(operation), {}, {}};
      std::copy(cell.results.begin(), cell.results.end(), row.results.begin());
      std::copy(cell.buckets.begin(), cell.buckets.end(), row.buckets.begin());
      row.seconds = static_cast<double>(cell.microseconds) / 1e6;
      row.bytes_in = cell.bytes_in;
      row.bytes_out = cell.bytes_out;
      const bool was_done = std::any_of(row.results.begin(), row.results.end(),
                                        [](std::uint64_t count) { return count > 0; });
      if (was_done) out.push_back(row);
    }
  }
  return out;
}

}  // namespace dfs
