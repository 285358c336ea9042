#include "client/library/translation.h"

#include <string>
#include <utility>

#include "client/caller.h"
#include "client/posix_byte_stream.h"
#include "client/retry_policy.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

std::string HexOfBytes(const std::string& bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  for (const char byte : bytes) {
    const auto value = static_cast<unsigned char>(byte);
    out += {kDigits[value >> 4U], kDigits[value & 15U]};
  }
  return out;
}

Code OfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return Code::kOk;
    case absl::StatusCode::kInvalidArgument:
      return Code::kInvalidArgument;
    case absl::StatusCode::kOutOfRange:
      return Code::kOutOfRange;
    case absl::StatusCode::kNotFound:
      return Code::kNotFound;
    case absl::StatusCode::kAlreadyExists:
      return Code::kAlreadyExists;
    case absl::StatusCode::kFailedPrecondition:
      return Code::kPreconditionFailed;
    case absl::StatusCode::kAborted:
      return Code::kConflict;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kCancelled:
      return Code::kUnavailable;
    case absl::StatusCode::kDeadlineExceeded:
      return Code::kTimeout;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
      return Code::kDenied;
    case absl::StatusCode::kDataLoss:
      return Code::kBadData;
    default:
      return Code::kInternal;
  }
}

Code CodeOf(const absl::Status& status) {
  if (IsLocalError(status)) return Code::kLocal;
  if (IsUnreachable(status)) return Code::kUnreachable;
  switch (ReasonOf(status)) {
    case ErrorDetail::NO_QUORUM:
      return Code::kNoQuorum;
    case ErrorDetail::NO_SPACE:
    case ErrorDetail::OVER_QUOTA:
      return Code::kNoSpace;
    case ErrorDetail::NOT_EMPTY:
      return Code::kAlreadyExists;
    case ErrorDetail::BAD_CHECKSUM:
    case ErrorDetail::SIZE_MISMATCH:
      return Code::kBadData;
    default:
      return OfCode(status.code());
  }
}

Replica::State ToPublic(v1::ReplicaState state) {
  if (state == v1::OK) return Replica::State::kOk;
  return state == v1::CORRUPT ? Replica::State::kCorrupt : Replica::State::kMissing;
}

}  // namespace

dfs::Status ToPublic(const absl::Status& status) {
  if (status.ok()) return {};
  std::vector<std::string> missing;
  if (const auto detail = DetailOf(status)) {
    missing.assign(detail->missing_nodes().begin(), detail->missing_nodes().end());
  }
  const Outcome outcome = OutcomeOf(status) == ErrorDetail::UNKNOWN ? Outcome::kUnknown : Outcome::kNothingChanged;
  return {CodeOf(status), std::string(status.message()), outcome, std::move(missing)};
}

FileInfo ToPublic(const v1::FileInfo& file) {
  FileInfo out;
  out.bucket = file.bucket();
  out.name = file.name();
  out.size = file.size();
  out.version = file.version();
  out.crc32c = file.crc32c();
  out.content_hash = HexOfBytes(file.content_hash());
  out.commit_index = file.commit_index();
  out.time = std::chrono::system_clock::time_point(std::chrono::microseconds(file.time_us()));
  out.chunks = file.chunks();
  out.replicas_wanted = file.replicas_wanted();
  out.replicas = file.replicas_ok();
  out.is_old = file.is_old();
  out.writer = file.writer();
  return out;
}

Placement ToPublic(const v1::LocateResponse& response) {
  Placement out;
  out.file = ToPublic(response.info());
  for (const auto& row : response.locations()) {
    Replica replica;
    replica.chunk = row.chunk();
    replica.chunk_size = row.chunk_size();
    replica.chunk_hash = row.chunk_hash();
    replica.node_id = row.node_id();
    replica.node = row.node();
    replica.address = row.address();
    replica.zone = row.zone();
    replica.state = ToPublic(row.state());
    replica.node_is_alive = row.node_is_alive();
    out.replicas.push_back(std::move(replica));
  }
  return out;
}

BucketInfo ToPublic(const v1::BucketInfo& bucket) {
  BucketInfo out;
  out.name = bucket.name();
  out.files = bucket.files();
  out.bytes = bucket.bytes();
  out.options.replicas = bucket.options().replicas();
  out.options.all_members = bucket.options().all_members();
  out.options.write_quorum = bucket.options().write_quorum();
  out.options.read_quorum = bucket.options().read_quorum();
  out.options.allow_no_overlap = bucket.options().allow_no_overlap();
  out.options.versions_kept = bucket.options().versions_kept();
  out.options.quota_bytes = bucket.options().quota_bytes();
  out.options.quota_files = bucket.options().quota_files();
  return out;
}

v1::Consistency ToWire(Consistency consistency) {
  switch (consistency) {
    case Consistency::kLeader:
      return v1::LEADER;
    case Consistency::kEventual:
      return v1::EVENTUAL;
    default:
      return v1::STRONG;
  }
}

v1::BucketOptions ToWire(const BucketOptions& options) {
  v1::BucketOptions out;
  out.set_replicas(options.replicas);
  out.set_all_members(options.all_members);
  out.set_write_quorum(options.write_quorum);
  out.set_read_quorum(options.read_quorum);
  out.set_allow_no_overlap(options.allow_no_overlap);
  out.set_versions_kept(options.versions_kept);
  out.set_quota_bytes(options.quota_bytes);
  out.set_quota_files(options.quota_files);
  return out;
}

}  // namespace dfs::client
