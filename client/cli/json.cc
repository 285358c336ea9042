#include "client/cli/json.h"

#include "client/cli/exit_code.h"
#include "client/cli/text.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

Json Success() { return Json{{"status", "success"}}; }

Json NodeFields(const v1::NodeStatus& node) {
  Json out;
  out["name"] = node.name();
  out["id"] = node.node_id();
  out["address"] = node.address();
  out["peer_address"] = node.peer_address();
  out["zone"] = node.zone();
  out["state"] = node.state();
  out["role"] = node.role();
  out["free_bytes"] = node.free_bytes();
  out["total_bytes"] = node.total_bytes();
  out["successors"] = node.successors();
  out["predecessors"] = node.predecessors();
  out["state_age_ms"] = node.state_age_ms();
  out["boot_epoch"] = node.boot_epoch();
  out["incarnation"] = node.incarnation();
  out["applied_index"] = node.applied_index();
  out["storage_uuid"] = node.storage_uuid();
  out["fsync_p99_us"] = node.fsync_p99_us();
  out["space"] = node.space();
  out["withheld_bytes"] = node.withheld_bytes();
  out["corrupt"] = node.corrupt_chunks();
  out["quarantined"] = node.quarantined_objects();
  out["is_out"] = node.is_out();
  out["certificate_not_after_s"] = node.certificate_not_after_s();
  out["is_returning"] = node.is_returning();
  out["departure"] = node.departure();
  return out;
}

std::string NameOfOutcome(const absl::Status& error) {
  return OutcomeOf(error) == v1::ErrorDetail::UNKNOWN ? "unknown" : "nothing_changed";
}

}  // namespace

Json JsonOf(const v1::FileInfo& file) {
  Json out = Success();
  out["name"] = file.name();
  out["bucket"] = file.bucket();
  out["size"] = file.size();
  out["version"] = file.version();
  out["replicas"] = file.replicas_ok();
  out["replicas_wanted"] = file.replicas_wanted();
  out["health"] = FormatHealth(file);
  out["time"] = FormatTime(file.time_us());
  out["time_us"] = file.time_us();
  out["crc32c"] = FormatCrc(file.crc32c());
  out["content_hash"] = FormatHex(file.content_hash());
  out["chunks"] = file.chunks();
  out["commit_index"] = file.commit_index();
  if (file.is_old()) out["old"] = true;
  if (file.trashed_time_us() != 0) {
    out["removed_at"] = FormatTime(file.trashed_time_us());
    out["removed_at_us"] = file.trashed_time_us();
    out["purge_at"] = FormatTime(file.purge_time_us());
    out["purge_at_us"] = file.purge_time_us();
  }
  if (file.consistency() == v1::EVENTUAL) out["consistency"] = "eventual";
  if (!file.writer().empty()) out["writer"] = file.writer();
  return out;
}

Json JsonOf(const v1::BucketInfo& bucket) {
  Json out = Success();
  const v1::BucketOptions& options = bucket.options();
  out["bucket"] = bucket.name();
  out["id"] = bucket.id();
  out["mode"] = options.mode() == v1::GOSSIP ? "gossip" : "quorum";
  out["all_members"] = options.all_members();
  out["replicas"] = bucket.replicas_now();
  out["write_quorum"] = bucket.write_quorum_now();
  out["read_quorum"] = bucket.read_quorum_now();
  out["replicas_wanted"] = options.all_members() ? bucket.replicas_now() : options.replicas();
  out["versions"] = options.versions_kept();
  out["quota_bytes"] = options.quota_bytes();
  out["quota_files"] = options.quota_files();
  if (options.has_conflict_window_s()) out["conflict_window_s"] = options.conflict_window_s();
  out["files"] = bucket.files();
  out["bytes"] = bucket.bytes();
  out["old_versions"] = bucket.old_versions();
  out["old_bytes"] = bucket.old_bytes();
  out["trashed"] = bucket.trashed();
  return out;
}

Json JsonOf(const v1::PutResponse& put) {
  Json out = JsonOf(put.info());
  out["replicas"] = put.replicas();
  return out;
}

Json JsonOf(const v1::Location& location) {
  Json out = Success();
  out["chunk"] = location.chunk();
  out["node"] = location.node();
  out["node_id"] = location.node_id();
  out["address"] = location.address();
  out["zone"] = location.zone();
  out["state"] = NameOf(location.state());
  out["node_is_alive"] = location.node_is_alive();
  out["size"] = location.chunk_size();
  out["checksum"] = location.chunk_hash();
  out["version"] = location.version();
  return out;
}

Json JsonOf(const v1::HereChunk& chunk, const std::string& node) {
  Json out = Success();
  out["node"] = node;
  out["chunk"] = chunk.chunk();
  out["size"] = chunk.size();
  out["checksum"] = chunk.hash();
  out["name"] = chunk.name();
  out["bucket"] = chunk.bucket();
  out["version"] = chunk.version();
  out["trashed"] = chunk.is_trashed();
  return out;
}

Json JsonOf(const v1::NodeStatus& node) {
  Json out = Success();
  out.update(NodeFields(node));
  return out;
}

Json JsonOf(const v1::CollectStatus& collection) {
  Json out = Success();
  out["node"] = collection.node();
  out["id"] = collection.node_id();
  if (!collection.error().empty()) {
    out["status"] = "error";
    out["state"] = "unreachable";
    out["error"] = {{"message", collection.error()}};
    return out;
  }
  out["state"] = collection.is_stopped() ? "stopped" : "ok";
  out["withheld_bytes"] = collection.withheld_bytes();
  out["limit_bytes"] = collection.limit_bytes();
  out["trash_chunks"] = collection.trash_chunks();
  out["trash_bytes"] = collection.trash_bytes();
  out["removed_chunks"] = collection.removed_chunks();
  out["removed_bytes"] = collection.removed_bytes();
  out["finished_us"] = collection.finished_us();
  return out;
}

Json JsonOf(const v1::ScrubStatus& scrub) {
  Json out = Success();
  out["node"] = scrub.node();
  out["id"] = scrub.node_id();
  if (!scrub.error().empty()) {
    out["status"] = "error";
    out["state"] = "unreachable";
    out["error"] = {{"message", scrub.error()}};
    return out;
  }
  out["state"] = scrub.is_running() ? "running" : "idle";
  out["asked_for"] = scrub.is_asked_for();
  out["chunks"] = scrub.chunks();
  out["bytes"] = scrub.bytes();
  out["stored_bytes"] = scrub.stored_bytes();
  out["bad"] = scrub.bad();
  out["corrupt"] = scrub.corrupt_chunks();
  out["quarantined"] = scrub.quarantined_objects();
  out["rate"] = scrub.rate();
  out["started_us"] = scrub.started_us();
  out["finished_us"] = scrub.finished_us();
  return out;
}

Json JsonOf(const v1::RepairProgress& progress) {
  Json out;
  out["leader"] = progress.leader();
  out["chunks_incomplete"] = progress.chunks_incomplete();
  out["copies_missing"] = progress.copies_missing();
  out["bytes_missing"] = progress.bytes_missing();
  out["chunks_one_copy"] = progress.chunks_one_copy();
  out["chunks_no_copy"] = progress.chunks_no_copy();
  out["chunks_waiting"] = progress.chunks_waiting();
  out["copies_under_way"] = progress.copies_under_way();
  out["copies_made"] = progress.copies_made();
  out["bytes_made"] = progress.bytes_made();
  out["bytes_per_s"] = progress.bytes_per_s();
  out["eta_ms"] = progress.eta_ms();
  out["is_counting"] = progress.is_counting();
  out["is_yielding"] = progress.is_yielding();
  out["age_ms"] = progress.age_ms();
  out["files_short"] = progress.files_short();
  out["is_moving"] = progress.is_moving();
  out["bytes_to_move"] = progress.bytes_to_move();
  out["moves_made"] = progress.moves_made();
  out["bytes_moved"] = progress.bytes_moved();
  out["move_eta_ms"] = progress.move_eta_ms();
  out["copies_adopted"] = progress.copies_adopted();
  out["bytes_adopted"] = progress.bytes_adopted();
  out["handovers"] = Json::array();
  for (const auto& handover : progress.handovers()) {
    out["handovers"].push_back({{"node", handover.name()},
                                {"node_id", handover.node_id()},
                                {"chunks_left", handover.chunks_left()},
                                {"bytes_left", handover.bytes_left()}});
  }
  return out;
}

Json JsonOf(const v1::StatusResponse& status) {
  Json out = Success();
  out["health"] = NameOf(status.health());
  out["leader"] = status.leader();
  out["term"] = status.term();
  out["files"] = status.files();
  out["bytes"] = status.bytes();
  out["under_replicated"] = status.under_replicated();
  out["trashed"] = status.trashed();
  out["cluster_id"] = status.cluster_id();
  out["commit_index"] = status.commit_index();
  out["applied_index"] = status.applied_index();
  out["state_hash"] = status.state_hash();
  out["state_hash_index"] = status.state_hash_index();
  out["answered_by"] = status.answered_by();
  out["age_ms"] = status.age_ms();
  out["server_version"] = status.server_version();
  if (status.has_repair()) out["repair"] = JsonOf(status.repair());
  out["reasons"] = Json::array();
  for (const auto& reason : status.reasons()) {
    out["reasons"].push_back({{"code", reason.code()},
                              {"severity", NameOf(reason.severity())},
                              {"text", reason.text()},
                              {"advice", reason.advice()}});
  }
  out["nodes"] = Json::array();
  for (const auto& node : status.nodes()) out["nodes"].push_back(NodeFields(node));
  return out;
}

Json JsonOfError(const absl::Status& error, const std::string& name) {
  Json out = {{"status", "error"}};
  if (!name.empty()) out["name"] = name;
  Json inner;
  inner["message"] = SentenceOf(error);
  inner["code"] = ExitCodeOf(error);
  inner["type"] = TypeOf(error);
  inner["outcome"] = NameOfOutcome(error);
  if (const auto detail = DetailOf(error)) {
    if (detail->reason() != v1::ErrorDetail::REASON_UNSPECIFIED) {
      inner["reason"] = v1::ErrorDetail::Reason_Name(detail->reason());
    }
    if (detail->missing_nodes_size() > 0) inner["missing_nodes"] = detail->missing_nodes();
  }
  out["error"] = std::move(inner);
  return out;
}

std::string Line(const Json& json) {
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

}  // namespace dfs::client::cli
