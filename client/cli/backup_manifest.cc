#include "client/cli/backup_manifest.h"

#include <algorithm>
#include <charconv>
#include <limits>
#include <tuple>

#include "absl/strings/escaping.h"
#include "client/cli/json.h"
#include "client/cli/text.h"
#include "common/checksum.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

constexpr char kFormatName[] = "dfs-backup";
constexpr std::size_t kBucketBytesMax = 63;
constexpr std::size_t kCrcDigits = 8;
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kVersionDigitsMax = 20;

absl::Status Damaged(std::string_view what) { return absl::DataLossError("a line of it has no " + std::string(what)); }

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

// It becomes part of a path: no slash, no dot in front.
bool IsBucketName(std::string_view name) {
  return !name.empty() && name.size() <= kBucketBytesMax && IsLetterOrDigit(name.front()) &&
         std::all_of(name.begin(), name.end(), [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '.'; });
}

bool IsHex(std::string_view text, std::size_t digits) {
  return text.size() == digits &&
         std::all_of(text.begin(), text.end(), [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

absl::StatusOr<Json> ParseObject(std::string_view line) {
  Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return absl::DataLossError("a line of it is no JSON object");
  return json;
}

absl::StatusOr<std::string> TextIn(const Json& json, const char* field) {
  const auto it = json.find(field);
  if (it == json.end() || !it->is_string()) return Damaged(field);
  return it->get<std::string>();
}

template <class Number>
absl::StatusOr<Number> NumberIn(const Json& json, const char* field) {
  const auto it = json.find(field);
  const bool is_number = it != json.end() && it->is_number_unsigned();
  if (!is_number || it->get<std::uint64_t>() > std::numeric_limits<Number>::max()) return Damaged(field);
  return static_cast<Number>(it->get<std::uint64_t>());
}

bool IsTrue(const Json& json, const char* field) {
  const auto it = json.find(field);
  return it != json.end() && it->is_boolean() && it->get<bool>();
}

Json JsonOf(const BackupBucket& bucket) {
  const v1::BucketOptions& options = bucket.options;
  Json out;
  out["name"] = bucket.name;
  out["mode"] = options.mode() == v1::GOSSIP ? "gossip" : "quorum";
  out["replicas"] = options.replicas();
  out["all_members"] = options.all_members();
  out["write_quorum"] = options.write_quorum();
  out["read_quorum"] = options.read_quorum();
  out["allow_no_overlap"] = options.allow_no_overlap();
  out["versions"] = options.versions_kept();
  out["quota_bytes"] = options.quota_bytes();
  out["quota_files"] = options.quota_files();
  if (options.has_conflict_window_s()) out["conflict_window_s"] = options.conflict_window_s();
  return out;
}

absl::StatusOr<BackupBucket> BucketIn(const Json& json) {
  if (!json.is_object()) return Damaged("bucket");
  BackupBucket out;
  v1::BucketOptions& options = out.options;
  DFS_ASSIGN_OR_RETURN(out.name, TextIn(json, "name"));
  if (!IsBucketName(out.name)) return Damaged("bucket's name that can be one");
  DFS_ASSIGN_OR_RETURN(const std::string mode, TextIn(json, "mode"));
  if (mode != "gossip" && mode != "quorum") return Damaged("mode that is known");
  options.set_mode(mode == "gossip" ? v1::GOSSIP : v1::QUORUM);
  DFS_ASSIGN_OR_RETURN(const auto replicas, NumberIn<std::uint32_t>(json, "replicas"));
  DFS_ASSIGN_OR_RETURN(const auto write_quorum, NumberIn<std::uint32_t>(json, "write_quorum"));
  DFS_ASSIGN_OR_RETURN(const auto read_quorum, NumberIn<std::uint32_t>(json, "read_quorum"));
  DFS_ASSIGN_OR_RETURN(const auto versions, NumberIn<std::uint32_t>(json, "versions"));
  DFS_ASSIGN_OR_RETURN(const auto quota_bytes, NumberIn<std::uint64_t>(json, "quota_bytes"));
  DFS_ASSIGN_OR_RETURN(const auto quota_files, NumberIn<std::uint64_t>(json, "quota_files"));
  options.set_replicas(replicas);
  options.set_all_members(IsTrue(json, "all_members"));
  options.set_write_quorum(write_quorum);
  options.set_read_quorum(read_quorum);
  options.set_allow_no_overlap(IsTrue(json, "allow_no_overlap"));
  options.set_versions_kept(versions);
  options.set_quota_bytes(quota_bytes);
  options.set_quota_files(quota_files);
  if (json.contains("conflict_window_s")) {
    DFS_ASSIGN_OR_RETURN(const auto window, NumberIn<std::uint32_t>(json, "conflict_window_s"));
    options.set_conflict_window_s(window);
  }
  return out;
}

}  // namespace

const BackupBucket* BackupHeader::Find(std::string_view bucket) const {
  const auto found = std::find_if(buckets.begin(), buckets.end(), [&](const BackupBucket& one) { return one.name == bucket; });
  return found == buckets.end() ? nullptr : &*found;
}

std::string LineOf(const BackupHeader& header) {
  Json json;
  json["format"] = kFormatName;
  json["format_version"] = kBackupFormat;
  json["cluster_id"] = header.cluster_id;
  json["time"] = FormatTime(header.time_us);
  json["time_us"] = header.time_us;
  json["all_buckets"] = header.has_all_buckets;
  json["buckets"] = Json::array();
  for (const BackupBucket& bucket : header.buckets) json["buckets"].push_back(JsonOf(bucket));
  return Line(json);
}

std::string LineOf(const v1::FileInfo& file) {
  Json json;
  json["bucket"] = file.bucket();
  json["name"] = file.name();
  json["version"] = file.version();
  json["size"] = file.size();
  json["crc32c"] = FormatCrc(file.crc32c());
  json["content_hash"] = FormatHex(file.content_hash());
  json["time"] = FormatTime(file.time_us());
  json["time_us"] = file.time_us();
  return Line(json);
}

std::string EndLineOf(const BackupSum& sum, const Hash128& hash) {
  return Line(Json{{"end", true}, {"files", sum.files}, {"bytes", sum.bytes}, {"xxh3_128", ToString(hash)}});
}

absl::StatusOr<BackupHeader> ParseBackupHeader(std::string_view line) {
  DFS_ASSIGN_OR_RETURN(const Json json, ParseObject(line));
  DFS_ASSIGN_OR_RETURN(const std::string format, TextIn(json, "format"));
  if (format != kFormatName) return Damaged("format that is known");
  DFS_ASSIGN_OR_RETURN(const auto version, NumberIn<std::uint32_t>(json, "format_version"));
  if (version != kBackupFormat) {
    return absl::UnimplementedError("it has format " + std::to_string(version) + ", and this program knows " +
                                    std::to_string(kBackupFormat) + ": take a newer dfs-cli");
  }
  BackupHeader out;
  DFS_ASSIGN_OR_RETURN(out.cluster_id, TextIn(json, "cluster_id"));
  DFS_ASSIGN_OR_RETURN(out.time_us, NumberIn<std::uint64_t>(json, "time_us"));
  out.has_all_buckets = IsTrue(json, "all_buckets");
  const auto buckets = json.find("buckets");
  if (buckets == json.end() || !buckets->is_array() || buckets->empty()) return Damaged("buckets");
  for (const Json& bucket : *buckets) {
    DFS_ASSIGN_OR_RETURN(BackupBucket one, BucketIn(bucket));
    out.buckets.push_back(std::move(one));
  }
  return out;
}

absl::StatusOr<v1::FileInfo> ParseBackupFile(std::string_view line) {
  DFS_ASSIGN_OR_RETURN(const Json json, ParseObject(line));
  DFS_ASSIGN_OR_RETURN(std::string bucket, TextIn(json, "bucket"));
  DFS_ASSIGN_OR_RETURN(std::string name, TextIn(json, "name"));
  DFS_ASSIGN_OR_RETURN(const auto version, NumberIn<std::uint64_t>(json, "version"));
  DFS_ASSIGN_OR_RETURN(const auto size, NumberIn<std::uint64_t>(json, "size"));
  DFS_ASSIGN_OR_RETURN(const auto time_us, NumberIn<std::uint64_t>(json, "time_us"));
  DFS_ASSIGN_OR_RETURN(const std::string crc, TextIn(json, "crc32c"));
  DFS_ASSIGN_OR_RETURN(const std::string hash, TextIn(json, "content_hash"));
  if (!IsBucketName(bucket)) return Damaged("bucket's name that can be one");
  if (!IsHex(crc, kCrcDigits) || !IsHex(hash, kHashDigits)) return Damaged("checksum");
  std::uint32_t crc32c = 0;
  std::from_chars(crc.data(), crc.data() + crc.size(), crc32c, 16);
  v1::FileInfo out;
  out.set_bucket(std::move(bucket));
  out.set_name(std::move(name));
  out.set_version(version);
  out.set_size(size);
  out.set_crc32c(crc32c);
  out.set_content_hash(absl::HexStringToBytes(hash));
  out.set_time_us(time_us);
  return out;
}

bool IsBefore(const v1::FileInfo& a, const v1::FileInfo& b) {
  return std::tie(a.bucket(), a.name()) < std::tie(b.bucket(), b.name());
}

std::string ObjectNameOf(const v1::FileInfo& file) {
  return file.bucket() + "-" + std::to_string(file.version()) + "-" + FormatCrc(file.crc32c()) + "-" +
         ToString(Xxh3(file.name().data(), file.name().size()));
}

bool IsObjectName(std::string_view name) {
  constexpr std::size_t kTail = 1 + kCrcDigits + 1 + kHashDigits;
  if (name.size() <= kTail) return false;
  const std::string_view tail = name.substr(name.size() - kTail);
  const std::string_view head = name.substr(0, name.size() - kTail);
  const auto dash = head.rfind('-');
  if (dash == std::string_view::npos) return false;
  const std::string_view version = head.substr(dash + 1);
  const bool is_number = !version.empty() && version.size() <= kVersionDigitsMax &&
                         std::all_of(version.begin(), version.end(), [](char c) { return c >= '0' && c <= '9'; });
  return is_number && IsBucketName(head.substr(0, dash)) && tail[0] == '-' && IsHex(tail.substr(1, kCrcDigits), kCrcDigits) &&
         tail[1 + kCrcDigits] == '-' && IsHex(tail.substr(kTail - kHashDigits), kHashDigits);
}

std::string ObjectPathOf(std::string_view object_name) {
  std::string out = "objects/";
  out.append(object_name.substr(object_name.size() - 2)).append("/").append(object_name);
  return out;
}

}  // namespace dfs::client::cli
