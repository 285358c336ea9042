#include "server/leader/rebalance_loop.h"

#include <glog/logging.h>

#include <algorithm>
#include <vector>

#include "server/leader/repair_loop.h"

namespace dfs::leader {

bool RebalanceLoop::Tick(const RepairMembers& members, const std::string& nodes) {
  if (!measure_ && !plan_) {
    if (!IsTimeToMeasure(nodes)) return false;
    measure_.emplace();
    measured_nodes_ = nodes;
    wants_round_ = false;
  }
  if (nodes != measured_nodes_) {
    // The targets are others now.
    Abandon();
    return true;
  }
  if (measure_) {
    if (MeasureOn()) MakePlan(members);
    return measure_ || plan_;
  }
  if (!is_walked_ && ready_.size() < kReadyMax) is_walked_ = WalkOn(members);
  if (!is_walked_) return ready_.size() < kReadyMax;
  if (ready_.empty() && under_way_.empty()) EndRound();
  return false;
}

void RebalanceLoop::Abandon() {
  wants_round_ = wants_round_ || measure_ || plan_;
  measure_.reset();
  plan_.reset();
  ready_.clear();
  under_way_.clear();
  bytes_planned_ = 0;
}

bool RebalanceLoop::IsTimeToMeasure(const std::string& nodes) const {
  if (wants_round_ || nodes != measured_nodes_) return true;
  return state_->Now() - round_ended_ >= state_->options.rebalance_every;
}

bool RebalanceLoop::MeasureOn() {
  int seen = 0;
  state_->world.view()->ListVersions(measure_->cursor, [&](const rpc::VersionRow& version) {
    measure_->cursor = FromWire(version.txn());
    const auto bucket = directory_->FindBucket(BucketId(version.bucket_id()));
    for (const rpc::ChunkRow& chunk : version.chunks()) {
      if (version.trashed_index() != 0 || !bucket) break;
      measure_->unique_bytes += chunk.size();
      measure_->wanted_bytes += chunk.size() * bucket->replicas();
      for (const auto& replica : chunk.replicas()) {
        if (replica.state() == api::OK) measure_->by_node[NodeId(replica.node_id())] += chunk.size();
      }
    }
    return ++seen < kVersionsPerSlice;
  });
  return seen < kVersionsPerSlice;
}

void RebalanceLoop::MakePlan(const RepairMembers& members) {
  std::map<NodeId, NodeLiveness> live;
  for (const auto& node : state_->world.liveness()) live[node.node] = node;
  std::vector<placement::BalanceNode> nodes;
  bool is_known = true;
  for (const auto& [id, member] : members.all()) {
    placement::BalanceNode node{id, member.zone, measure_->by_node[id], 0, false};
    node.takes_part = member.is_usable && !member.is_withdrawn && !member.is_returning;
    const std::uint64_t kept_back = std::min(member.free_bytes, placement::kFreeBytesMin);
    node.capacity_bytes = node.held_bytes + member.free_bytes - kept_back;
    // Nothing was heard of its disk yet: its part would be a guess.
    is_known = is_known && (!node.takes_part || live[id].total_bytes > 0);
    nodes.push_back(std::move(node));
  }
  const std::uint64_t unique_bytes = measure_->unique_bytes;
  // Buckets want different numbers of copies: on the average so many.
  const std::uint64_t replicas =
      unique_bytes == 0 ? 1 : (measure_->wanted_bytes + unique_bytes / 2) / unique_bytes;
  measure_.reset();
  round_ended_ = state_->Now();
  if (!is_known) {
    wants_round_ = true;
    return;
  }
  placement::RebalancePlan plan(nodes, unique_bytes, static_cast<std::size_t>(replicas),
                                state_->options.rebalance_slack_bytes);
  if (!plan.IsWorthIt()) return;
  LOG(INFO) << "rebalancing: at most " << plan.bytes_needed() << " bytes to move";
  plan_.emplace(std::move(plan));
  cursor_ = TxnId();
  is_walked_ = false;
  moves_made_in_round_ = 0;
}

bool RebalanceLoop::WalkOn(const RepairMembers& members) {
  int seen = 0;
  bool is_full = false;
  state_->world.view()->ListVersions(cursor_, [&](const rpc::VersionRow& version) {
    cursor_ = FromWire(version.txn());
    if (version.trashed_index() == 0) OfferVersion(version, members);
    is_full = ready_.size() >= kReadyMax;
    return ++seen < kVersionsPerSlice && !is_full;
  });
  return seen < kVersionsPerSlice && !is_full;
}

void RebalanceLoop::OfferVersion(const rpc::VersionRow& version, const RepairMembers& members) {
  const auto bucket = directory_->FindBucket(BucketId(version.bucket_id()));
  if (!bucket) return;
  for (int k = 0; k < version.chunks_size(); ++k) {
    const ChunkId id{FromWire(version.txn()), static_cast<std::uint32_t>(k)};
    const IncompleteChunk chunk = ToIncompleteChunk(version, k, bucket->replicas());
    if (under_way_.contains(id) || !IsWhole(chunk, members)) continue;
    std::vector<NodeId> set;
    for (const auto& [node, state] : chunk.set) set.push_back(node);
    const auto move = plan_->Offer(chunk.size, set);
    if (!move) continue;
    ready_.push_back({id, chunk.size, *move});
    bytes_planned_ += chunk.size;
  }
}

std::optional<CopyTask> RebalanceLoop::Next(const RepairMembers& members, const RepairLoad& load) {
  const auto view = ready_.empty() ? nullptr : state_->world.view();
  while (!ready_.empty()) {
    const Ready& ready = ready_.front();
    const auto chunk = read_again_(*view, ready.chunk);
    const bool stands = chunk && IsWhole(*chunk, members) && chunk->set.contains(ready.move.from) &&
                        !chunk->set.contains(ready.move.to) && members.TakesCopies(ready.move.to);
    if (stands) {
      return CopyTask{chunk->chunk,  chunk->size,     chunk->hash, LiveSources(*chunk, members, load),
                      ready.move.to, ready.move.from, true};
    }
    plan_->TakeBack(ready.move, ready.size);
    bytes_planned_ -= ready.size;
    ready_.pop_front();
  }
  return std::nullopt;
}

void RebalanceLoop::Pop() {
  under_way_.emplace(ready_.front().chunk, ready_.front().move);
  ready_.pop_front();
}

void RebalanceLoop::Finish(const CopyTask& task, bool is_made) {
  if (is_made) {
    ++moves_made_;
    bytes_moved_ += task.size;
  }
  // Of a round that was given up meanwhile.
  const auto found = under_way_.find(task.chunk);
  if (found == under_way_.end()) return;
  if (is_made) {
    ++moves_made_in_round_;
  } else {
    plan_->TakeBack(found->second, task.size);
  }
  bytes_planned_ -= task.size;
  under_way_.erase(found);
}

void RebalanceLoop::EndRound() {
  LOG(INFO) << "rebalancing: a round ends, " << moves_made_in_round_ << " copies were moved";
  plan_.reset();
  round_ended_ = state_->Now();
  // What was put meanwhile, and chunks of which two copies have to move.
  wants_round_ = moves_made_in_round_ > 0;
}

std::uint64_t RebalanceLoop::bytes_to_move() const {
  return plan_ ? plan_->bytes_needed() + bytes_planned_ : 0;
}

}  // namespace dfs::leader
