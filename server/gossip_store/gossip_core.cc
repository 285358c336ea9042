#include "server/gossip_store/gossip_core.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"

namespace dfs::gossip_store {

GossipCore::GossipCore(const GossipOptions& options, const GossipState& state,
                       std::vector<HeldRecord> records)
    : options_(options),
      random_(options.seed),
      clock_(state.clock_bound),
      clock_bound_(state.clock_bound),
      first_bound_(state.clock_bound),
      is_complete_(state.is_complete),
      has_begun_anew_(state.has_begun_anew),
      purged_through_(state.purged_through),
      inclusion_(InclusionRow{options.self, state.included.had}),
      next_round_(random_.Next()) {
  for (HeldRecord& held : records) {
    clock_.Record(std::max(held.applied, held.record.stamp.time));
    const bool is_own = held.record.stamp.origin == options_.self;
    if (is_own && !DFS_MUTANT(1254, "what nobody else has is forgotten by a start")) alone_.insert(held.applied);
    table_.Put(std::move(held));
  }
}

Output GossipCore::Step(MonotonicTime now, absl::Time wall, Input input) {
  now_ = now;
  wall_ = wall;
  SetTime();
  out_ = Output();
  news_.clear();
  is_state_changed_ = false;
  std::visit([this](auto& typed) { Handle(std::move(typed)); }, input);
  if (out_.has_lost_memory) {
    Output lost;
    lost.has_lost_memory = true;
    return lost;
  }
  Spread();
  if (is_state_changed_) out_.state = State();
  out_.next_deadline = doomed_.empty() ? next_sync_ : now;
  return std::move(out_);
}

bool GossipCore::IsComplete() const {
  if (is_complete_) return true;
  // The oldest member: it was there before any of these buckets. One that has lost them must ask, unless it is alone.
  if (has_begun_anew_ && members_.size() > 1) return false;
  const auto oldest = std::min_element(members_.begin(), members_.end());
  return oldest != members_.end() && *oldest == options_.self;
}

bool GossipCore::IsHandedOver() const {
  return leaving_since_ && TakenOver() >= *leaving_since_;
}

HybridTime GossipCore::TakenOver() const {
  HybridTime out;
  for (const auto& [id, row] : inclusion_.others()) {
    if (!departing_.contains(id) && inclusion_.IsMember(id)) out = std::max(out, row.Of(options_.self));
  }
  return out;
}

void GossipCore::SetTime() {
  const absl::Duration off = clocks_.ToMedian(now_);
  const bool is_off = absl::AbsDuration(off) > options_.clock_off_max;
  // What it gives by a wrong clock it cannot take back when the clock is right again.
  time_ = is_off && !DFS_MUTANT(1250, "the times of a node follow its wrong clock") ? wall_ + off : wall_;
}

// Of a node that nobody is there to correct they are what they are.
absl::Duration GossipCore::TimesAhead(MonotonicTime now, absl::Time wall) {
  const absl::Duration off = clocks_.ToMedian(now);
  return clocks_.has_heard() ? WallOf(clock_.last()) - (wall + off) : absl::ZeroDuration();
}

absl::Duration GossipCore::ClockOff(MonotonicTime now, absl::Time wall) {
  const absl::Duration off = clocks_.ToMedian(now);
  const absl::Duration ahead = TimesAhead(now, wall);
  // Times up to the limit ahead are taken from others; twice that no clock of theirs explains.
  const bool is_ahead = ahead > 2 * options_.clock_off_max && !DFS_MUTANT(1252, "whose times are ahead takes writes");
  return is_ahead && absl::AbsDuration(off) <= options_.clock_off_max ? -ahead : off;
}

absl::Status GossipCore::CheckWrite(MonotonicTime now, absl::Time wall) {
  if (leaving_since_ && !DFS_MUTANT(1161, "a node that leaves takes writes")) {
    return absl::UnavailableError("this node is to leave the cluster or to be drained: write through another");
  }
  const absl::Duration off = ClockOff(now, wall);
  if (absl::AbsDuration(off) > options_.clock_off_max) {
    const bool is_clock = absl::AbsDuration(clocks_.ToMedian(now)) > options_.clock_off_max;
    return absl::FailedPreconditionError(absl::StrCat(
        is_clock ? "this node's clock is " : "this node's clock was wrong, and the times it gave are ",
        absl::ToInt64Seconds(absl::AbsDuration(off)), " s ", off > absl::ZeroDuration() ? "behind" : "ahead of",
        " the median of its peers: ", is_clock ? "set its clock, or write" : "write", " through another node"));
  }
  if (table_.size() >= options_.records_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("this node holds ", table_.size(), " names of gossip buckets, the most there can be"));
  }
  return absl::OkStatus();
}

GossipState GossipCore::State() const {
  return {clock_bound_, inclusion_.own(), is_complete_, has_begun_anew_, purged_through_};
}

BegunAnew GossipCore::BeginAnew() const {
  // Times go on: what this node has given before must stay behind what it gives from now on.
  HybridClock clock(std::max(clock_bound_, clock_.last()));
  // What others count as taken over from this node, before it had this old state, they would refuse. What they took over
  // since they have, or what superseded it: with a new time it would win over that.
  HybridTime taken_over;
  for (const auto& [id, row] : inclusion_.others()) {
    const HybridTime time = row.Of(options_.self);
    const bool was_told_now = std::binary_search(told_.begin(), told_.end(), time);
    if (!was_told_now || DFS_MUTANT(1256, "what others took over since gets a new time")) taken_over = std::max(taken_over, time);
  }
  BegunAnew out;
  out.state.has_begun_anew = true;
  out.state.purged_through = purged_through_;
  for (const BucketId bucket : buckets_) {
    table_.Scan(bucket, "", "", [&](const HeldRecord& held) {
      const Stamp& stamp = held.record.stamp;
      if (stamp.origin != options_.self || stamp.time <= first_bound_) return true;
      if (DFS_MUTANT(1160, "what was acknowledged since the start goes with an old state")) return true;
      HeldRecord& kept = out.kept.emplace_back(held);
      if (stamp.time <= taken_over) kept.record.stamp.time = clock.Next(time_);
      kept.applied = clock.Next(time_);
      return true;
    });
  }
  out.state.clock_bound = clock.last();
  return out;
}

HybridTime GossipCore::NextTime() {
  const HybridTime time = clock_.Next(time_);
  if (time > clock_bound_) {
    const absl::Time given = WallOf(time);
    const absl::Time reserved = DFS_MUTANT(1251, "a start moves the clock ahead") ? given + kClockReserve
                                                                                 : time_ + kClockReserve;
    clock_bound_ = HybridTimeAt(std::max(reserved, given + kClockReserveAhead));
    is_state_changed_ = true;
  }
  return time;
}

// ---- inputs ----

void GossipCore::Handle(Tick /*tick*/) {
  EraseDoomed();
  if (now_ < next_sync_) return;
  next_sync_ = now_ + options_.sync_interval;
  Purge();
  if (round_ && round_->IsOverdue(now_)) {
    answer_patience_ = std::min(2 * answer_patience_, SyncRound::kPatience);
    EndRound(false);
  }
  if (!round_) BeginRound();
}

void GossipCore::Handle(SetPeers peers) {
  inclusion_.SetMembers(peers.members);
  for (const NodeId id : members_) {
    if (!inclusion_.IsMember(id)) departed_[id] = peers.index;
  }
  if (members_index_.is_none()) first_members_index_ = peers.index;
  members_index_ = peers.index;
  members_ = std::move(peers.members);
  departing_ = std::move(peers.departing);
  if (!departing_.contains(options_.self)) {
    leaving_since_.reset();
  } else if (!leaving_since_) {
    leaving_since_ = NextTime();
  }
  reachable_.clear();
  for (const NodeId peer : peers.reachable) {
    if (peer != options_.self && inclusion_.IsMember(peer)) reachable_.push_back(peer);
  }
  if (round_ && !inclusion_.IsMember(round_->peer())) EndRound(false);
}

void GossipCore::Handle(SetBuckets buckets) { buckets_ = std::move(buckets.buckets); }

void GossipCore::Handle(DropBucket drop) {
  buckets_.erase(drop.bucket);
  doomed_.insert(drop.bucket);
  EraseDoomed();
}

void GossipCore::Handle(Write write) {
  if (absl::Status status = CheckWrite(now_, wall_); !status.ok()) {
    out_.results.push_back({write.number, std::move(status)});
    if (!write.record.is_tombstone) out_.dropped.push_back(std::move(write.record));
    return;
  }
  Record& record = write.record;
  if (!IsFromTheFuture(record)) clock_.Record(record.stamp.time);
  record.stamp = {NextTime(), options_.self};
  out_.results.push_back({write.number, record.stamp});
  Apply(record, NodeId(), true);
}

void GossipCore::Handle(Fetched fetched) {
  if (fetches_ > 0) --fetches_;
  const Record& record = fetched.record;
  Pending pending;
  const auto found = fetching_.find(record.key);
  if (found != fetching_.end() && found->second.stamp == record.stamp) {
    pending = found->second;
    fetching_.erase(found);
  }
  const bool is_of_round = round_ && round_->IsAwaited(record.stamp);
  if (fetched.is_ok) {
    const HeldRecord* const held = table_.Find(record.key);
    if (!buckets_.contains(record.key.bucket) || (held != nullptr && held->record.stamp >= record.stamp)) {
      if (held == nullptr || held->record.txn != record.txn) out_.dropped.push_back(record);
    } else {
      Apply(record, pending.from, pending.is_news);
    }
  } else if (is_of_round) {
    round_->Spoil();
  }
  if (!is_of_round) return;
  round_->Arrived(record.stamp, now_);
  GoOn();
}

void GossipCore::Handle(Receive received) {
  const Message& message = received.message;
  if (message.to != options_.self || message.from == options_.self ||
      !inclusion_.IsMember(message.from)) {
    return;
  }
  clocks_.Record(message.from, message.wall, wall_, now_);
  // A message may always be lost. The next ones are of others, if not all are known to be there yet.
  if (members_.size() > 2 && clocks_.IsInDoubt(now_, options_.clock_off_max) &&
      !DFS_MUTANT(1253, "one voice is not enough, and taken all the same")) {
    if (round_ && round_->peer() == message.from) EndRound(false);
    return;
  }
  SetTime();
  std::visit([&](const auto& body) { Take(message.from, body); }, message.body);
}

// ---- records ----

bool GossipCore::IsFromTheFuture(const Record& record) {
  const absl::Time limit = wall_ + clocks_.ToMedian(now_) + options_.clock_off_max;
  return WallOf(record.stamp.time) > limit;
}

bool GossipCore::HasSeen(NodeId origin, HybridTime time) const {
  if (inclusion_.IsMember(origin)) return time <= inclusion_.own().Of(origin);
  // One that has gone writes no more, and members that know it take its records from each other's states only. So once
  // this node has taken over the state of each as of then, there is nothing more to come.
  const auto found = departed_.find(origin);
  const LogIndex since = found == departed_.end() ? first_members_index_ : found->second;
  return std::all_of(members_.begin(), members_.end(), [&](NodeId id) {
    const auto included = included_members_.find(id);
    return id == options_.self || (included != included_members_.end() && included->second >= since);
  });
}

GossipCore::Verdict GossipCore::Judge(const Record& record, Source source) {
  if (!buckets_.contains(record.key.bucket)) return Verdict::kNotYet;
  if (IsFromTheFuture(record) && !DFS_MUTANT(1080, "a record from the future is taken")) {
    ++counts_.held_back;
    return Verdict::kNotYet;
  }
  if (const HeldRecord* const held = table_.Find(record.key)) {
    return record.stamp > held->record.stamp ? Verdict::kNew : Verdict::kKnown;
  }
  const NodeId origin = record.stamp.origin;
  const bool is_own = origin == options_.self;
  if (source == Source::kRumour) {
    if (!IsComplete() && !DFS_MUTANT(1081, "a newcomer takes news before a state")) {
      return Verdict::kNotYet;
    }
    // An echo of a name that is gone, or of one who is: a rumour may be late, a peer's state is not.
    if (is_own || !inclusion_.IsMember(origin)) {
      if (!DFS_MUTANT(1082, "an echo of an own record that is gone is taken")) return Verdict::kForgotten;
    }
  }
  // It is not here because it was removed and that forgotten, or because the disk lost the last of what was synced. What is
  // newer than all that was forgotten is a loss; a peer that lists what is older has an old disk, or forgets later.
  if (source == Source::kRound && is_own && !has_begun_anew_ && record.stamp.time <= purged_through_) {
    if (!DFS_MUTANT(1163, "what this node wrote and removed comes back from an old disk")) return Verdict::kForgotten;
  }
  // Rule R23: this node had it, or what superseded it, and neither is here any more.
  if (!is_own && HasSeen(origin, record.stamp.time) &&
      !DFS_MUTANT(1083, "a record that was superseded and forgotten is taken")) {
    ++counts_.refused;
    return Verdict::kForgotten;
  }
  return Verdict::kNew;
}

void GossipCore::Accept(const Record& record, NodeId from, bool is_news) {
  if (record.is_tombstone) return Apply(record, from, is_news);
  fetching_[record.key] = {record.stamp, from, is_news};
  ++fetches_;
  out_.fetches.push_back({record, from});
}

void GossipCore::Apply(const Record& record, NodeId from, bool is_news) {
  clock_.Record(record.stamp.time);
  HeldRecord held{record, NextTime()};
  out_.changes.push_back({record.key, held});
  if (const HeldRecord* const before = table_.Find(record.key)) alone_.erase(before->applied);
  if (record.stamp.origin == options_.self) alone_.insert(held.applied);
  auto old = table_.Put(std::move(held));
  if (old && !old->is_tombstone && old->txn != record.txn) out_.dropped.push_back(*std::move(old));
  if (is_news) news_.push_back({record, from});
}

void GossipCore::Erase(const Key& key) {
  if (const HeldRecord* const held = table_.Find(key)) alone_.erase(held->applied);
  auto old = table_.Erase(key);
  if (!old) return;
  out_.changes.push_back({key, std::nullopt});
  if (!old->is_tombstone) out_.dropped.push_back(*std::move(old));
}

void GossipCore::EraseDoomed() {
  std::size_t left = kErasedPerStepMax;
  while (!doomed_.empty() && left > 0) {
    std::vector<Key> keys;
    table_.Scan(*doomed_.begin(), "", "", [&](const HeldRecord& held) {
      keys.push_back(held.record.key);
      return keys.size() < left;
    });
    if (keys.empty()) doomed_.erase(doomed_.begin());
    left -= keys.size();
    for (const Key& key : keys) Erase(key);
  }
}

void GossipCore::Purge() {
  const HybridTime held_by_all = DFS_MUTANT(1084, "a tombstone goes before all members have it")
                                     ? HybridTime(~std::uint64_t{0})
                                     : inclusion_.HeldByAll();
  const HybridTime seen_of_all = DFS_MUTANT(1085, "a tombstone goes before what it hides can be refused")
                                     ? HybridTime(~std::uint64_t{0})
                                     : inclusion_.SeenOfAll();
  const HybridTime old = HybridTimeAt(time_ - options_.tombstone_age_min);
  std::vector<Key> keys;
  table_.ScanTombstones(std::min(held_by_all, old), [&](const HeldRecord& held) {
    const Stamp& stamp = held.record.stamp;
    // Its own return is refused, too.
    const bool is_settled = stamp.origin == options_.self || HasSeen(stamp.origin, stamp.time);
    if (stamp.time <= seen_of_all && is_settled) {
      keys.push_back(held.record.key);
      is_state_changed_ = is_state_changed_ || stamp.time > purged_through_;
      purged_through_ = std::max(purged_through_, stamp.time);
    }
    return keys.size() < kErasedPerStepMax;
  });
  counts_.purged += keys.size();
  for (const Key& key : keys) Erase(key);
}

// ---- rumours ----

std::vector<NodeId> GossipCore::RandomPeers(std::size_t count, NodeId except) {
  std::vector<NodeId> pool = reachable_;
  std::erase(pool, except);
  std::vector<NodeId> out;
  while (out.size() < count && !pool.empty()) {
    const auto at = static_cast<std::ptrdiff_t>(random_.Below(pool.size()));
    out.push_back(pool[static_cast<std::size_t>(at)]);
    pool.erase(pool.begin() + at);
  }
  return out;
}

void GossipCore::Spread() {
  std::map<NodeId, Rumours> told;
  for (const News& news : news_) {
    for (const NodeId peer : RandomPeers(options_.fan_out, news.from)) {
      Rumours& rumours = told[peer];
      if (rumours.records.size() < kRumoursMax) rumours.records.push_back(news.record);
    }
  }
  for (auto& [peer, rumours] : told) Send(peer, std::move(rumours));
}

void GossipCore::Take(NodeId from, const Rumours& rumours) {
  if (rumours.records.size() > kRumoursMax) return;
  for (const Record& record : rumours.records) {
    const auto pending = fetching_.find(record.key);
    if (pending != fetching_.end() && pending->second.stamp >= record.stamp) continue;
    if (fetches_ >= kFetchesMax && !record.is_tombstone) continue;  // a round will bring it
    if (Judge(record, Source::kRumour) == Verdict::kNew) Accept(record, from, true);
  }
}

void GossipCore::Send(NodeId to, MessageBody body) {
  out_.messages.push_back({options_.self, to, wall_, std::move(body)});
}

}  // namespace dfs::gossip_store
