#include "server/leader/repair_loop.h"

#include <glog/logging.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"

namespace dfs::leader {
namespace {

constexpr absl::Duration kFirstPause = absl::Seconds(1);
constexpr absl::Duration kLookEvery = absl::Seconds(1);
// A look at all versions takes at most such a part of the leader's time.
constexpr int kLookPart = 20;
constexpr absl::Duration kPaceStep = absl::Milliseconds(100);

CopyState StateOf(const rpc::Replica& replica) {
  switch (replica.state()) {
    case api::OK:
      return CopyState::kOk;
    case api::CORRUPT:
      return CopyState::kCorrupt;
    default:
      return CopyState::kMissing;
  }
}

// Equal as long as nothing changed that a look depends on.
std::string Describe(const RepairMembers& members) {
  std::string text;
  for (const auto& [node, member] : members.all()) {
    absl::StrAppend(&text, node.value(), member.is_usable ? "u" : "", member.is_withdrawn ? "w" : "",
                    members.TakesCopies(node) ? "t" : "", ";");
  }
  return text;
}

}  // namespace

IncompleteChunk ToIncompleteChunk(const rpc::VersionRow& version, int index,
                                  std::size_t replicas_wanted) {
  const rpc::ChunkRow& row = version.chunks(index);
  const ChunkId id{FromWire(version.txn()), static_cast<std::uint32_t>(index)};
  IncompleteChunk chunk{id, row.size(), HashFromWire(row.hash()), replicas_wanted, {},
                        version.trashed_index() != 0};
  for (const auto& replica : row.replicas()) {
    chunk.set[NodeId(replica.node_id())] = StateOf(replica);
  }
  return chunk;
}

RepairMembers RepairLoop::Members() {
  return RepairMembers(Candidates(*directory_->Refresh(), state_->world.liveness()));
}

void RepairLoop::Poke() {
  wants_look_ = true;
  Tick();
}

void RepairLoop::Tick() {
  pace_.RecordClient(state_->LastClient());
  if (!look_) {
    const RepairMembers members = Members();
    const bool has_withdrawn = members.staying() < members.size();
    std::string nodes = Describe(members);
    if (IsTimeToLook(nodes, has_withdrawn)) {
      look_.emplace();
      look_->is_full = has_withdrawn;
      look_->nodes = std::move(nodes);
      look_->began = state_->Now();
      wants_look_ = false;
      LookOn();
      // Under load each tick may be time to look; what comes after it must not wait for a tick that is not.
      if (look_) return;
    }
  }
  Dispatch();
  Rebalance();
  Publish();
}

bool RepairLoop::IsTimeToLook(const std::string& nodes, bool has_withdrawn) {
  if (!has_withdrawn && state_->world.view()->GetTotals().under_replicated == 0) {
    // Nothing to do, and nothing left of what there was.
    survey_ = RepairSurvey();
    survey_.Finish();
    arriving_ = 0;
    surveyed_nodes_ = nodes;
    was_full_ = false;
    wants_look_ = false;
    look_ended_ = state_->Now();
    copies_made_since_look_ = bytes_made_since_look_ = 0;
    backlog_.clear();
    failed_.clear();
    return false;
  }
  if (wants_look_ || nodes != surveyed_nodes_ || was_full_ != has_withdrawn) return true;
  if (survey_.queued() > 0 || backlog_.size() >= kBacklogMax) return false;
  return state_->Now() - look_ended_ >= std::max(kLookEvery, look_took_ * kLookPart);
}

void RepairLoop::LookOn() {
  if (!look_ || state_->HasEnded()) return;
  const RepairMembers members = Members();
  const auto view = state_->world.view();
  int seen = 0;
  const auto visit = [&](const rpc::VersionRow& version) {
    look_->cursor = FromWire(version.txn());
    AddVersion(version, members);
    return ++seen < kVersionsPerSlice;
  };
  if (look_->is_full) {
    view->ListVersions(look_->cursor, visit);
  } else {
    view->ListIncomplete(look_->cursor, visit);
  }
  if (seen < kVersionsPerSlice) {
    EndLook();
  } else {
    state_->world.executor->Post([self = shared_from_this()] { self->LookOn(); });
  }
  Dispatch();
  Publish();
}

void RepairLoop::EndLook() {
  look_->survey.Finish();
  survey_ = std::move(look_->survey);
  arriving_ = look_->arriving;
  surveyed_nodes_ = look_->nodes;
  was_full_ = look_->is_full;
  look_ended_ = state_->Now();
  look_took_ = look_ended_ - look_->began;
  copies_made_since_look_ = bytes_made_since_look_ = 0;
  look_.reset();
}

void RepairLoop::AddVersion(const rpc::VersionRow& version, const RepairMembers& members) {
  const auto bucket = directory_->FindBucket(BucketId(version.bucket_id()));
  if (!bucket) return;
  const TxnId txn = FromWire(version.txn());
  bool is_short = false;
  for (int k = 0; k < version.chunks_size(); ++k) {
    const ChunkId id{txn, static_cast<std::uint32_t>(k)};
    const IncompleteChunk chunk = ToIncompleteChunk(version, k, bucket->replicas());
    const ChunkHealth health = HealthOf(chunk, members);
    if (health.is_complete()) continue;
    is_short = is_short || (!chunk.is_trashed && health.present < health.wanted);
    if (ObstacleOf(chunk, members) == Obstacle::kNone && !failed_.contains(id) &&
        IsArriving(id, version.chunks(k))) {
      ++look_->arriving;
    }
    look_->survey.Add(chunk, members, IsBusy(id, version.chunks(k)));
  }
  if (is_short) look_->survey.CountShortFile();
}

std::optional<IncompleteChunk> RepairLoop::ReadAgain(const metadata::MetadataView& view,
                                                     const ChunkId& chunk) {
  const auto version = view.FindVersion(chunk.txn);
  if (!version || chunk.index >= static_cast<std::uint32_t>(version->chunks_size())) return std::nullopt;
  const rpc::ChunkRow& row = version->chunks(static_cast<int>(chunk.index));
  const auto bucket = directory_->FindBucket(BucketId(version->bucket_id()));
  if (!bucket || IsBusy(chunk, row)) return std::nullopt;
  return ToIncompleteChunk(*version, static_cast<int>(chunk.index), bucket->replicas());
}

void RepairLoop::FillBacklog(const RepairMembers& members) {
  std::unique_ptr<metadata::MetadataView> view;
  while (backlog_.size() < kBacklogMax) {
    // A look under way knows newer and more endangered chunks than the last one.
    std::vector<ChunkId> ids;
    if (look_) ids = look_->survey.Take(kBacklogMax - backlog_.size());
    if (ids.empty()) ids = survey_.Take(kBacklogMax - backlog_.size());
    if (ids.empty()) return;
    if (view == nullptr) view = state_->world.view();
    for (const ChunkId& id : ids) {
      auto chunk = ReadAgain(*view, id);
      if (chunk && ObstacleOf(*chunk, members) == Obstacle::kNone) backlog_.push_back(*std::move(chunk));
    }
  }
}

void RepairLoop::Dispatch() {
  const MonotonicTime now = state_->Now();
  RepairLimits limits = state_->options.repair;
  limits.in_flight_max = pace_.InFlightMax(limits.in_flight_max, now);
  if (load_.in_flight >= limits.in_flight_max || state_->HasEnded()) return;
  const RepairMembers members = Members();
  FillBacklog(members);
  if (backlog_.empty()) return;
  std::set<ChunkId> done;
  bool is_held_back = false;
  for (const auto& task : PlanRepair(backlog_, members, limits, load_)) {
    is_held_back = !pace_.TryStart(task.size, now);
    if (is_held_back) break;
    done.insert(task.chunk);
    Order(task);
  }
  std::erase_if(backlog_, [&](const auto& chunk) { return done.contains(chunk.chunk); });
  if (is_held_back) {
    state_->world.executor->PostAt(now + kPaceStep, [self = shared_from_this()] {
      if (!self->state_->HasEnded()) self->Dispatch();
    });
  } else if (load_.in_flight == 0) {
    // What nobody can take now is looked at again later, as it is then.
    backlog_.clear();
  }
}

// A copy is on its way already, or failed a moment ago.
bool RepairLoop::IsBusy(const ChunkId& chunk, const rpc::ChunkRow& row) {
  const MonotonicTime now = state_->Now();
  const auto failure = failed_.find(chunk);
  if (failure != failed_.end() && now < failure->second.retry) return true;
  {
    MutexLock lock(&state_->mutex);
    if (state_->orders.HasRepair(chunk)) return true;
  }
  return IsArriving(chunk, row);
}

// The put's coordinator may still bring a copy that is missing; not for ever.
bool RepairLoop::IsArriving(const ChunkId& chunk, const rpc::ChunkRow& row) {
  const MonotonicTime now = state_->Now();
  MutexLock lock(&state_->mutex);
  if (state_->orders.HasRepair(chunk)) return false;
  for (const auto& replica : row.replicas()) {
    const CopyOrders::Order* const order =
        state_->orders.Find(chunk, NodeId(replica.node_id()));
    if (order == nullptr) continue;
    if (order->is_acknowledged || now - order->opened < state_->options.late_copy_wait) return true;
  }
  return false;
}

bool RepairLoop::MayRebalance(const RepairMembers& members) const {
  const SurveyTotals& totals = survey_.totals();
  const bool is_repairing = look_ || wants_look_ || !survey_.is_finished() || survey_.queued() > 0 ||
                            !backlog_.empty() ||
                            // Under load there is always a put whose last copy is on its way: no reason to wait.
                            totals.chunks_incomplete > totals.chunks_waiting + arriving_;
  // One that is away may return with all it has, or become OUT and be repair's business.
  const bool is_anyone_away =
      std::any_of(members.all().begin(), members.all().end(), [](const auto& entry) {
        return !entry.second.is_usable && !entry.second.is_withdrawn;
      });
  if (DFS_MUTANT(846, "copies are moved while others are missing")) return true;
  return !is_repairing && !is_anyone_away;
}

void RepairLoop::Rebalance() {
  if (state_->HasEnded()) return;
  const RepairMembers members = Members();
  if (!MayRebalance(members)) return;
  std::string nodes = Describe(members);
  for (const auto& [node, member] : members.all()) {
    absl::StrAppend(&nodes, member.is_returning ? "r" : "-", member.zone, "/");
  }
  const bool has_more = rebalance_.Tick(members, nodes);
  OrderMoves(members);
  if (has_more) RebalanceAt(state_->Now());
}

void RepairLoop::RebalanceAt(MonotonicTime when) {
  if (std::exchange(is_rebalance_posted_, true)) return;
  state_->world.executor->PostAt(when, [self = shared_from_this()] {
    self->is_rebalance_posted_ = false;
    self->Rebalance();
  });
}

void RepairLoop::OrderMoves(const RepairMembers& members) {
  const MonotonicTime now = state_->Now();
  RepairLimits limits = state_->options.repair;
  limits.in_flight_max = pace_.InFlightMax(limits.in_flight_max, now);
  while (load_.in_flight < limits.in_flight_max) {
    const auto task = rebalance_.Next(members, load_);
    if (!task) return;
    if (load_.by_target[task->target] >= limits.per_target_max) return;
    if (task->sources.empty() || load_.by_source[task->sources.front()] >= limits.per_source_max) return;
    if (!pace_.TryStart(task->size, now)) {
      RebalanceAt(now + kPaceStep);
      return;
    }
    if (!Order(*task)) return;
    rebalance_.Pop();
  }
}

bool RepairLoop::Order(const CopyTask& task) {
  std::optional<std::uint64_t> order;
  {
    MutexLock lock(&state_->mutex);
    if (state_->is_ended) return false;
    order = state_->orders.Open(task.chunk, task.target, task.replaces, true, state_->Now());
  }
  if (!order) return false;
  ++load_.in_flight;
  if (!task.sources.empty()) ++load_.by_source[task.sources.front()];
  ++load_.by_target[task.target];
  const std::uint64_t rate = pace_.CopyBytesPerSecond(state_->Now());
  state_->world.run_blocking([self = shared_from_this(), task, number = *order, rate] {
    self->Copy(task, number, rate);
  });
  return true;
}

void RepairLoop::Copy(const CopyTask& task, std::uint64_t order, std::uint64_t bytes_per_s_max) {
  rpc::CopyChunkRequest request;
  *request.mutable_chunk() = ToWire(task.chunk);
  request.set_size(task.size);
  *request.mutable_hash() = ToWire(task.hash);
  for (const NodeId source : task.sources) request.add_sources(source.value());
  request.set_order(order);
  request.set_bytes_per_s_max(bytes_per_s_max);
  absl::StatusOr<rpc::ChunkAck> ack = NotLeaderError();
  if (!state_->HasEnded()) {
    ack = state_->world.copy(task.target, request, state_->options.copy_progress);
  }
  bool is_made = false;
  if (!ack.ok()) {
    LOG(INFO) << "copy of " << task.chunk << " to node " << task.target
              << " not made: " << ack.status();
  } else if (ack->size() != task.size || HashFromWire(ack->hash()) != task.hash ||
             ack->ack().node_id() != task.target.value()) {
    LOG(ERROR) << "node " << task.target << " acknowledged another copy of " << task.chunk;
  } else {
    rpc::ReplicaChange change;
    *change.mutable_chunk() = request.chunk();
    *change.mutable_hash() = request.hash();
    *change.mutable_ack() = ack->ack();
    change.set_state(api::OK);
    change.set_replaces(task.replaces.value());
    change.set_is_move(task.is_move);
    is_made = changes_->ReportRepaired(std::move(change), order);
  }
  if (!is_made) {
    MutexLock lock(&state_->mutex);
    state_->orders.End(task.chunk, task.target, order);
  }
  const auto origin = ack.ok() ? ack->origin() : rpc::ChunkAck::ORIGIN_UNSPECIFIED;
  state_->world.executor->Post([self = shared_from_this(), task, is_made, origin] {
    self->Finish(task, is_made, origin);
  });
}

void RepairLoop::RecordMade(const CopyTask& task, rpc::ChunkAck::Origin origin) {
  failed_.erase(task.chunk);
  if (origin == rpc::ChunkAck::HELD || origin == rpc::ChunkAck::ADOPTED) {
    ++copies_adopted_;
    bytes_adopted_ += task.size;
  } else {
    pace_.RecordMade(task.size, state_->Now());
  }
  if (task.is_move) return;
  ++copies_made_;
  bytes_made_ += task.size;
  ++copies_made_since_look_;
  bytes_made_since_look_ += task.size;
}

void RepairLoop::RecordFailed(const CopyTask& task) {
  if (failed_.size() >= kFailedMax && !failed_.contains(task.chunk)) return;
  Failure& failure = failed_[task.chunk];
  failure.pause = failure.pause == absl::ZeroDuration()
                      ? kFirstPause
                      : std::min(failure.pause * 2, state_->options.copy_backoff_max);
  failure.retry = state_->Now() + failure.pause;
}

void RepairLoop::Finish(const CopyTask& task, bool is_made, rpc::ChunkAck::Origin origin) {
  --load_.in_flight;
  if (!task.sources.empty()) --load_.by_source[task.sources.front()];
  --load_.by_target[task.target];
  if (task.is_move) rebalance_.Finish(task, is_made);
  if (is_made) {
    RecordMade(task, origin);
  } else {
    RecordFailed(task);
  }
  if (state_->HasEnded()) return;
  if (task.is_move) {
    pace_.RecordClient(state_->LastClient());
    Rebalance();
  } else if (is_made && load_.in_flight <= state_->options.repair.in_flight_max / 2) {
    pace_.RecordClient(state_->LastClient());
    Dispatch();
    // Everything that was queued is made: what the look did not queue comes next.
    if (load_.in_flight == 0) wants_look_ = survey_.totals().chunks_incomplete > 0;
  }
  Publish();
}

void RepairLoop::Publish() {
  const MonotonicTime now = state_->Now();
  const auto& totals = !survey_.is_finished() && look_ ? look_->survey.totals() : survey_.totals();
  const auto less = [](std::uint64_t a, std::uint64_t b) { return a - std::min(a, b); };
  api::RepairProgress progress;
  progress.set_chunks_incomplete(less(totals.chunks_incomplete, copies_made_since_look_));
  progress.set_copies_missing(less(totals.copies_missing, copies_made_since_look_));
  progress.set_bytes_missing(less(totals.bytes_missing, bytes_made_since_look_));
  progress.set_chunks_one_copy(totals.chunks_one_copy);
  progress.set_chunks_no_copy(totals.chunks_no_copy);
  progress.set_chunks_waiting(totals.chunks_waiting);
  progress.set_copies_under_way(static_cast<std::uint32_t>(load_.in_flight));
  progress.set_copies_made(copies_made_);
  progress.set_bytes_made(bytes_made_);
  progress.set_bytes_per_s(pace_.BytesPerSecond(now));
  if (progress.bytes_per_s() > 0) {
    progress.set_eta_ms(progress.bytes_missing() * 1'000 / progress.bytes_per_s());
  }
  progress.set_is_counting(!survey_.is_finished());
  progress.set_files_short(totals.files_short);
  progress.set_bytes_to_move(rebalance_.bytes_to_move());
  progress.set_is_moving(rebalance_.is_moving());
  progress.set_moves_made(rebalance_.moves_made());
  progress.set_bytes_moved(rebalance_.bytes_moved());
  progress.set_copies_adopted(copies_adopted_);
  progress.set_bytes_adopted(bytes_adopted_);
  if (progress.bytes_per_s() > 0) {
    progress.set_move_eta_ms(progress.bytes_to_move() * 1'000 / progress.bytes_per_s());
  }
  progress.set_is_yielding(pace_.IsYielding(now) &&
                           (progress.copies_missing() > 0 || progress.bytes_to_move() > 0));
  MutexLock lock(&mutex_);
  progress_ = std::move(progress);
  progress_from_ = look_ended_;
  handovers_ = totals.handovers;
  handover_nodes_ = was_full_ ? surveyed_nodes_ : "";
}

api::RepairProgress RepairLoop::Progress() const {
  const MonotonicTime now = state_->Now();
  MutexLock lock(&mutex_);
  api::RepairProgress progress = progress_;
  if (progress_from_ != absl::InfinitePast()) {
    progress.set_age_ms(static_cast<std::uint64_t>(absl::ToInt64Milliseconds(now - progress_from_)));
  }
  return progress;
}

std::optional<Handover> RepairLoop::HandoverOf(NodeId node) const {
  MutexLock lock(&mutex_);
  const std::string own = absl::StrCat(";", node.value());
  const std::string all = absl::StrCat(";", handover_nodes_);
  // The node was withdrawn when the look began.
  for (const std::string_view state : {"w;", "uw;"}) {
    if (all.find(absl::StrCat(own, std::string(state))) == std::string::npos) continue;
    const auto found = handovers_.find(node);
    return found == handovers_.end() ? Handover() : found->second;
  }
  return std::nullopt;
}

}  // namespace dfs::leader
