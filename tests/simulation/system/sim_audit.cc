#include "tests/simulation/system/sim_audit.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

namespace dfs::simulation {
namespace {

constexpr absl::Duration kAuditTimeout = absl::Seconds(5);

// What is in the trash of a node is held.
std::set<ChunkId> ChunksOf(SimNode& node) {
  std::set<ChunkId> chunks;
  node.store()->ForEach(std::nullopt, [&chunks](const chunk::HeldChunk& held) {
    chunks.insert(held.info.id);
    return true;
  });
  return chunks;
}

}  // namespace

std::optional<SimAudit::Held> SimAudit::Ask(int machine) {
  if (!cluster_->IsUp(machine) || cluster_->disk(machine)->has_ever_rotted()) return std::nullopt;
  auto held = cluster_->wire().Ask<Held>(
      kClientsMachine, machine, NodeId(), kAuditTimeout, [](SimNode& node) -> absl::StatusOr<Held> {
        return Held{node.self(), node.boot_epoch(), ChunksOf(node)};
      });
  return held.ok() ? std::optional(*std::move(held)) : std::nullopt;
}

std::optional<SimAudit::Named> SimAudit::ReadNamed() {
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (!cluster_->IsUp(machine)) continue;
    auto named = cluster_->wire().Ask<Named>(
        kClientsMachine, machine, NodeId(), kAuditTimeout, [](SimNode& node) -> absl::StatusOr<Named> {
          const auto view = node.ReadState();
          if (!view.ok()) return view.status();
          std::map<std::uint32_t, std::set<ChunkId>> by_node;
          (*view)->ListVersions(TxnId(), [&by_node](const rpc::VersionRow& version) {
            for (int k = 0; k < version.chunks_size(); ++k) {
              for (const auto& replica : version.chunks(k).replicas()) {
                if (replica.state() != api::OK) continue;
                by_node[replica.node_id()].insert(
                    {FromWire(version.txn()), static_cast<std::uint32_t>(k)});
              }
            }
            return true;
          });
          Named all;
          for (const auto& row : (*view)->Nodes()) {
            if (row.state() != rpc::ACTIVE || row.counted_epoch() != row.boot_epoch()) continue;
            all[{NodeId(row.node_id()), BootEpoch(row.boot_epoch())}] =
                std::move(by_node[row.node_id()]);
          }
          return all;
        });
    if (named.ok()) return *std::move(named);
  }
  return std::nullopt;
}

absl::Status SimAudit::LookOnce() {
  // The nodes first: what the log names later and was not here may have come in between, but what was
  // here does not go.
  std::map<int, Held> held;
  for (int machine = 1; machine <= cluster_->machines(); ++machine) {
    if (auto answer = Ask(machine)) held[machine] = *std::move(answer);
  }
  const auto named = ReadNamed();
  const Lacking before = std::exchange(lacking_, {});
  if (!named) return absl::OkStatus();
  for (const auto& [machine, first] : held) {
    const auto must = named->find({first.node, first.epoch});
    if (must == named->end()) continue;
    copies_seen_ += must->second.size();
    const auto is_here = [&first = first](const ChunkId& chunk) {
      return first.chunks.contains(chunk);
    };
    if (std::all_of(must->second.begin(), must->second.end(), is_here)) continue;
    const auto second = Ask(machine);
    if (!second || second->epoch != first.epoch || second->node != first.node) continue;
    for (const ChunkId& chunk : must->second) {
      if (is_here(chunk) || second->chunks.contains(chunk)) continue;
      lacking_.insert({machine, chunk});
      if (!before.contains({machine, chunk})) continue;
      return absl::DataLossError(absl::StrCat("machine ", machine, " (node ", first.node.value(),
                                              ") lacks chunk ", ToString(chunk),
                                              ", which counts as a good copy there"));
    }
  }
  return absl::OkStatus();
}

}  // namespace dfs::simulation
