#include "server/http/json_text.h"

#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/http/entity_tag.h"

namespace dfs::http {
namespace {

using Json = nlohmann::ordered_json;

// Messages may quote what clients sent: bytes that are no UTF-8 are replaced, never an exception.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::string TimeText(absl::Time time) {
  return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E6SZ", time, absl::UTCTimeZone());
}

std::string Quoted(const std::string& text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

std::string NameOf(v1::Health health) {
  switch (health) {
    case v1::HEALTH_OK: return "OK";
    case v1::HEALTH_WARN: return "WARN";
    default: return "ERR";
  }
}

std::string ConditionOf(v1::Health health) {
  switch (health) {
    case v1::HEALTH_OK: return "healthy";
    case v1::HEALTH_WARN: return "degraded";
    default: return "unhealthy";
  }
}

}  // namespace

std::string ErrorJson(std::string_view message) {
  return Dump(Json{{"error", std::string(message)}});
}

std::string ErrorJson(const ErrorFacts& facts) {
  Json out{{"error", facts.message}};
  if (facts.is_outcome_unknown) out["outcome"] = "unknown";
  if (facts.tells_leader) out["leader"] = facts.leader.empty() ? Json() : Json(facts.leader);
  if (!facts.missing_nodes.empty()) out["missing_nodes"] = facts.missing_nodes;
  if (!facts.stored.empty()) out["stored"] = facts.stored;
  return Dump(out);
}

// By hand but for the names: a listing has many of these.
void AppendFileJson(const v1::FileInfo& file, std::string* out) {
  const absl::Time time = absl::FromUnixMicros(static_cast<std::int64_t>(file.time_us()));
  absl::StrAppend(out, "{\"name\":", Quoted(file.name()), ",\"size\":", file.size(),
                  ",\"version\":", file.version(), ",\"etag\":", Quoted(EntityTagOf(file)),
                  ",\"bucket\":", Quoted(file.bucket()), ",\"time\":\"", TimeText(time),
                  "\",\"crc32c\":\"", absl::StrFormat("%08x", file.crc32c()));
  absl::StrAppend(out, "\",\"content_hash\":\"", absl::BytesToHexString(file.content_hash()),
                  "\",\"replicas\":", file.replicas_ok(),
                  ",\"replicas_wanted\":", file.replicas_wanted(), ",\"commit_index\":",
                  file.commit_index(), file.is_old() ? ",\"is_old\":true" : "",
                  file.consistency() == v1::EVENTUAL ? ",\"consistency\":\"eventual\"}" : "}");
}

std::string FileJson(const v1::FileInfo& file) {
  std::string out;
  AppendFileJson(file, &out);
  return out + "\n";
}

std::string FilesJson(const std::vector<v1::FileInfo>& files) {
  std::string out = "{\"files\":[";
  for (const auto& file : files) {
    if (&file != &files.front()) out += ",";
    AppendFileJson(file, &out);
  }
  return out + "]}\n";
}

std::string RemovedJson(std::string_view name, std::uint64_t version) {
  return Dump(Json{{"name", std::string(name)}, {"version", version}});
}

std::string StatusJson(const v1::StatusResponse& status, std::uint32_t self, absl::Time now) {
  Json out;
  out["node_id"] = self;
  out["is_leader"] = status.leader_id() == self;
  out["status"] = ConditionOf(status.health());
  out["timestamp"] = TimeText(now);
  out["health"] = NameOf(status.health());
  out["cluster_id"] = status.cluster_id();
  out["node"] = status.answered_by();
  out["leader"] = status.leader();
  out["leader_id"] = status.leader_id();
  out["term"] = status.term();
  out["commit_index"] = status.commit_index();
  out["applied_index"] = status.applied_index();
  out["files"] = status.files();
  out["bytes"] = status.bytes();
  out["under_replicated"] = status.under_replicated();
  out["trashed"] = status.trashed();
  out["age_ms"] = status.age_ms();
  out["server_version"] = status.server_version();
  out["nodes"] = Json::array();
  for (const auto& node : status.nodes()) {
    out["nodes"].push_back({{"name", node.name()},
                            {"id", node.node_id()},
                            {"address", node.address()},
                            {"zone", node.zone()},
                            {"state", node.state()},
                            {"role", node.role()},
                            {"free_bytes", node.free_bytes()},
                            {"total_bytes", node.total_bytes()}});
  }
  out["reasons"] = Json::array();
  for (const auto& reason : status.reasons()) {
    out["reasons"].push_back({{"code", reason.code()},
                              {"severity", NameOf(reason.severity())},
                              {"text", reason.text()},
                              {"advice", reason.advice()}});
  }
  return Dump(out);
}

std::string OkToStopJson(const v1::OkToStopResponse& response) {
  Json out;
  out["ok_to_stop"] = response.is_ok();
  if (!response.is_ok()) {
    out["error"] = "stopping this node now would take a quorum away";
    out["reasons"] = response.reasons();
    out["files_endangered"] = response.files_endangered();
    out["files"] = Json::array();
    for (const auto& file : response.files()) {
      out["files"].push_back(
          {{"bucket", file.bucket()}, {"name", file.name()}, {"reason", file.reason()}});
    }
  }
  return Dump(out);
}

}  // namespace dfs::http
