// ChangeReplicas: copies that came late, were made anew, or were found damaged or lost.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <utility>

#include "common/mutant.h"
#include "server/metadata/commands.h"
#include "server/metadata/released_table.h"
#include "server/metadata/version_table.h"

namespace dfs::metadata {
namespace {

rpc::Replica* FindReplica(rpc::ChunkRow* chunk, std::uint32_t node) {
  for (rpc::Replica& replica : *chunk->mutable_replicas()) {
    if (replica.node_id() == node) return &replica;
  }
  return nullptr;
}

bool IsKnownState(api::ReplicaState state) {
  return state == api::OK || state == api::MISSING || state == api::CORRUPT;
}

// Whether the member may lose its place in the set to a node whose replica has this state. A good copy on a
// member that is to stay never does. A damaged one, or one on a node that is OUT, draining or retired, does only to a
// good one: it may be the last.
bool MayReplace(const ApplyContext& context, const rpc::Replica& member, api::ReplicaState by) {
  if (member.state() == api::MISSING) return true;
  if (by != api::OK) {
    return DFS_MUTANT(801, "a missing copy takes the place of a good one on a node that is OUT") &&
           !context.IsSettled(member.node_id());
  }
  return member.state() == api::CORRUPT || !context.IsSettled(member.node_id());
}

// Whether every member of the set holds the chunk, and the set is as large as it can be.
bool IsWhole(const ApplyContext& context, std::uint32_t wanted, const rpc::ChunkRow& chunk) {
  const auto& replicas = chunk.replicas();
  return static_cast<std::uint64_t>(replicas.size()) >=
             std::min<std::uint64_t>(wanted, context.cache->counters.members()) &&
         std::all_of(replicas.begin(), replicas.end(),
                     [](const rpc::Replica& replica) { return replica.state() == api::OK; });
}

// A move gives a good copy up for another good one: only while nothing is missing, so that repair, which needs the
// places, never finds one taken by a move.
bool MayMove(const ApplyContext& context, std::uint32_t wanted, const rpc::ReplicaChange& change,
             const rpc::ChunkRow& chunk) {
  if (!change.is_move()) return false;
  const bool is_good = change.state() == api::OK ||
                       DFS_MUTANT(840, "a move leaves a missing copy where a good one was");
  const bool is_whole = IsWhole(context, wanted, chunk) ||
                        DFS_MUTANT(841, "a move while the chunk lacks a copy");
  return is_good && is_whole;
}

// What a change does to a chunk's set.
struct Outcome {
  bool has_changed =
      false;  // false: it does not fit this chunk (any more), and nothing was changed
  std::optional<NodeId> newcomer;  // was not in the set before
  std::optional<NodeId> released;  // has left it, with a good copy
};

Outcome Change(const ApplyContext& context, std::uint32_t wanted, const rpc::ReplicaChange& change,
               rpc::ChunkRow* chunk) {
  const std::uint32_t node = change.ack().node_id();
  if (rpc::Replica* member = FindReplica(chunk, node)) {
    if (member->state() == change.state()) return {};
    member->set_state(change.state());
    return {.has_changed = true};
  }
  if (change.state() == api::CORRUPT) return {};
  rpc::Replica* place = nullptr;
  std::optional<NodeId> released;
  if (change.replaces() != 0) {
    place = FindReplica(chunk, change.replaces());
    if (place == nullptr) return {};
    if (!MayMove(context, wanted, change, *chunk) && !MayReplace(context, *place, change.state())) {
      return {};
    }
    // What was damaged or lost is not known to lie there in good order, and a node that is retired
    // collects nothing.
    if (place->state() == api::OK && context.IsActive(place->node_id())) {
      released = NodeId(place->node_id());
    }
  } else if (static_cast<std::uint32_t>(chunk->replicas_size()) < wanted) {
    place = chunk->add_replicas();
  } else {
    return {};
  }
  place->set_node_id(node);
  place->set_state(change.state());
  return {.has_changed = true, .newcomer = NodeId(node), .released = released};
}

// The versions that one entry changes: each is read and written once.
class ChangedVersions {
 public:
  explicit ChangedVersions(ApplyContext* context) : context_(context) {}

  // False: it does not fit the version (any more), or the entry has no room for its rows.
  bool Add(const rpc::ReplicaChange& change) {
    const ChunkId id = FromWire(change.chunk());
    auto it = versions_.find(id.txn);
    const bool is_new = it == versions_.end();
    if (is_new) {
      // What brings no news takes no room: a list that is given again goes on where it stopped.
      auto located = ReadVersion(*context_->rows, id.txn);
      if (!located) return false;
      rpc::VersionRow row = located->row;
      it = versions_.emplace(id.txn, Version{*std::move(located), std::move(row)}).first;
    }
    const bool has_changed = ChangeChunk(change, id, &it->second.after);
    if (is_new && !has_changed) versions_.erase(it);
    return has_changed;
  }

  void Write() {
    for (auto& [txn, version] : versions_) Update(context_, version.before, version.after);
  }

 private:
  struct Version {
    LocatedVersion before;
    rpc::VersionRow after;
  };

  bool ChangeChunk(const rpc::ReplicaChange& change, const ChunkId& id, rpc::VersionRow* version) {
    if (id.index >= static_cast<std::uint32_t>(version->chunks_size())) return false;
    rpc::ChunkRow* chunk = version->mutable_chunks(static_cast<int>(id.index));
    if (HashFromWire(chunk->hash()) != HashFromWire(change.hash())) return false;
    const rpc::BucketRow* bucket = context_->FindBucket(version->bucket_id());
    if (bucket == nullptr) return false;
    rpc::ChunkRow changed = *chunk;
    const Outcome outcome = Change(*context_, bucket->replicas(), change, &changed);
    if (!outcome.has_changed || !HasRoomFor(outcome, id)) return false;
    *chunk = std::move(changed);
    const bool stays = DFS_MUTANT(1000, "a copy that is back in the set still counts as let go");
    if (outcome.newcomer && !stays) DropReleased(context_, *outcome.newcomer, id);
    if (outcome.released) AddReleased(context_, *outcome.released, id);
    return true;
  }

  // For the versions so far, which are written last, and for what the change does to released rows.
  [[nodiscard]] bool HasRoomFor(const Outcome& outcome, const ChunkId& id) const {
    const bool drops = outcome.newcomer && IsReleased(*context_->rows, *outcome.newcomer, id);
    return context_->HasRoomFor(2 * versions_.size() + (drops ? 1 : 0) +
                                (outcome.released ? 1 : 0));
  }

  ApplyContext* const context_;
  std::map<TxnId, Version> versions_;
};

}  // namespace

rpc::CommandResult Apply(ApplyContext* context, const rpc::ChangeReplicas& command) {
  rpc::CommandResult result;
  result.set_applied_index(context->index.value());
  if (command.changes_size() > kReplicaChangesMax) {
    result.set_code(rpc::CommandResult::INVALID);
    result.set_message("more than 1,000 changes");
    return result;
  }
  ChangedVersions versions(context);
  std::uint64_t count = 0;
  for (const rpc::ReplicaChange& change : command.changes()) {
    const bool is_current = context->IsCurrent(change.ack()) ||
                            DFS_MUTANT(220, "copies of other storages and starts count (rule R19)");
    if (!is_current || !IsKnownState(change.state())) continue;
    if (versions.Add(change)) ++count;
  }
  versions.Write();
  result.set_code(rpc::CommandResult::DONE);
  result.set_count(count);
  return result;
}

}  // namespace dfs::metadata
