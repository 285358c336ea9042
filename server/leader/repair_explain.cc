#include "server/leader/repair_explain.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace dfs::leader {
namespace {

std::string StateOf(NodeId node, const RepairMembers& members) {
  const placement::Candidate* const member = members.Find(node);
  if (member == nullptr) return "gone";
  if (!member->is_withdrawn) return member->is_usable ? "alive" : "dead";
  return member->is_usable ? "to be emptied" : "out";
}

std::string NameOf(NodeId node, const ExplainFacts& facts) {
  const auto found = facts.names.find(node);
  return found == facts.names.end() || found->second.empty() ? absl::StrCat("node ", node.value())
                                                             : found->second;
}

api::ReplicaState ToWire(CopyState state) {
  switch (state) {
    case CopyState::kOk:
      return api::OK;
    case CopyState::kCorrupt:
      return api::CORRUPT;
    case CopyState::kMissing:
      break;
  }
  return api::MISSING;
}

// "n3 (dead, OUT in 87 s), n4 (dead)"
std::string Away(const ExplainFacts& facts) {
  std::vector<std::string> away;
  for (const auto& [node, member] : facts.members->all()) {
    if (member.is_usable) continue;
    const auto due = facts.out_in.find(node);
    const bool will_be_out = due != facts.out_in.end() && due->second < absl::Hours(24);
    away.push_back(absl::StrCat(
        NameOf(node, facts), " (", StateOf(node, *facts.members),
        will_be_out ? absl::StrCat(", OUT in ",
                                   std::max<std::int64_t>(0, absl::ToInt64Seconds(due->second)), " s")
                    : "",
        ")"));
  }
  return absl::StrJoin(away, ", ");
}

std::string CopiesText(const IncompleteChunk& chunk, const ExplainFacts& facts) {
  std::vector<std::string> copies;
  for (const auto& [node, state] : chunk.set) {
    const char* const what = state == CopyState::kOk        ? "a copy"
                             : state == CopyState::kCorrupt ? "a damaged copy"
                                                            : "none";
    copies.push_back(absl::StrCat(NameOf(node, facts), " ", what, " (",
                                  StateOf(node, *facts.members), ")"));
  }
  return absl::StrJoin(copies, ", ");
}

std::pair<std::string, std::string> CodeAndText(const IncompleteChunk& chunk,
                                                const ExplainFacts& facts) {
  const ChunkHealth health = HealthOf(chunk, *facts.members);
  const std::string has = absl::StrCat(health.counting, " of ", health.wanted, " copies");
  switch (ObstacleOf(chunk, *facts.members)) {
    case Obstacle::kComplete:
      if (health.live >= health.counting) return {"OK", absl::StrCat(has)};
      return {"NODE_AWAY", absl::StrCat(has, ", ", health.live, " of them on live nodes; away: ",
                                        Away(facts), ". Copies are made elsewhere once a node is OUT")};
    case Obstacle::kNone:
      if (facts.is_copying) return {"COPYING", absl::StrCat(has, "; one is being made")};
      return {"QUEUED", absl::StrCat(has, "; one will be made",
                                     facts.is_yielding ? ", slowly while clients are at work" : "")};
    case Obstacle::kNoLiveSource:
      return {"NO_LIVE_SOURCE",
              absl::StrCat("no live node holds a good copy: ", CopiesText(chunk, facts),
                           ". Start the node that has one")};
    case Obstacle::kNodesAway:
      return {"NODE_AWAY", absl::StrCat(has, "; waiting for ", Away(facts))};
    case Obstacle::kNoSpace: {
      std::vector<std::string> full;
      for (const auto& [node, member] : facts.members->all()) {
        if (member.is_usable && !member.is_withdrawn && !facts.members->TakesCopies(node)) {
          full.push_back(absl::StrCat(NameOf(node, facts), " (", member.free_bytes, " bytes free)"));
        }
      }
      return {"NO_SPACE", absl::StrCat(has, "; the only nodes left are full: ", absl::StrJoin(full, ", "),
                                       ". Free space or add a node")};
    }
    case Obstacle::kNoNodeLeft:
      break;
  }
  const std::string away = Away(facts);
  return {"NO_NODE_LEFT",
          absl::StrCat(has, "; every node that may take one has one: ", facts.members->size(),
                       " members, ", facts.members->staying(), " of them to stay",
                       away.empty() ? "" : absl::StrCat(", away: ", away), ". Add a node")};
}

}  // namespace

api::ExplainedChunk ExplainChunk(const IncompleteChunk& chunk, const ExplainFacts& facts) {
  api::ExplainedChunk out;
  out.set_size(chunk.size);
  out.set_is_complete(HealthOf(chunk, *facts.members).is_complete());
  auto [code, text] = CodeAndText(chunk, facts);
  out.set_code(std::move(code));
  out.set_text(std::move(text));
  for (const auto& [node, state] : chunk.set) {
    api::ExplainedCopy& copy = *out.add_copies();
    copy.set_node_id(node.value());
    copy.set_node(NameOf(node, facts));
    copy.set_state(ToWire(state));
    copy.set_node_state(StateOf(node, *facts.members));
  }
  return out;
}

}  // namespace dfs::leader
