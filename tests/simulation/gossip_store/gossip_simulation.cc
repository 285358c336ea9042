#include "tests/simulation/gossip_store/gossip_simulation.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"

namespace dfs::gossip_store {
namespace {

const BucketId kBucket(7);
constexpr std::uint64_t kNames = 12;
constexpr absl::Duration kActEvery = absl::Milliseconds(120);
constexpr std::uint64_t kUnsyncedOneIn = 500;
// Of a backup, at least: no disk of a second ago.
constexpr absl::Duration kOldDiskAge = absl::Seconds(20);

std::string Text(const Stamp& stamp) {
  return absl::StrCat(stamp.time.value(), "@", stamp.origin.value());
}

}  // namespace

void SimulationCounts::Add(const SimulationCounts& other) {
  writes += other.writes;
  refused_writes += other.refused_writes;
  crashes += other.crashes;
  partitions += other.partitions;
  lost += other.lost;
  doubled += other.doubled;
  messages += other.messages;
  fetches += other.fetches;
  fetches_failed += other.fetches_failed;
  joins += other.joins;
  forgets += other.forgets;
  skews += other.skews;
  old_disks += other.old_disks;
  purged += other.purged;
  refused_records += other.refused_records;
  held_back += other.held_back;
  unsynced += other.unsynced;
  full_disks += other.full_disks;
  leaves += other.leaves;
  longest_convergence = std::max(longest_convergence, other.longest_convergence);
}

GossipSimulation::GossipSimulation(std::uint64_t seed, std::size_t nodes, absl::Duration faulty)
    : random_(seed), node_count_(nodes), faulty_(faulty), has_leave_(random_.OneIn(1, 3)) {
  for (std::uint32_t i = 1; i <= nodes; ++i) nodes_[NodeId(i)].is_member = true;
}

void GossipSimulation::At(absl::Duration delay, NodeId node, std::function<void()> act) {
  const auto found = nodes_.find(node);
  const std::uint64_t run = found == nodes_.end() ? 0 : found->second.run;
  events_.emplace(std::pair(now_ + delay, order_++), Event{node, run, std::move(act)});
}

void GossipSimulation::RunUntil(MonotonicTime end) {
  while (violation_.empty() && !events_.empty() && events_.begin()->first.first <= end) {
    auto entry = events_.extract(events_.begin());
    now_ = entry.key().first;
    Event event = std::move(entry.mapped());
    if (!event.node.is_none()) {
      const Node& node = nodes_.at(event.node);
      if (node.run != event.run || node.core == nullptr) continue;
    }
    event.act();
  }
  now_ = std::max(now_, end);
}

void GossipSimulation::Trace(std::uint64_t value) {
  trace_hash_ = (trace_hash_ ^ value) * 0x9E3779B97F4A7C15u + 1;
}

void GossipSimulation::Fail(const std::string& what) {
  if (violation_.empty()) {
    violation_ = absl::StrCat("at ", absl::FormatDuration(now_ - absl::FromUnixSeconds(1'000'000)), ": ", what);
  }
}

std::vector<NodeId> GossipSimulation::Members() const {
  std::vector<NodeId> out;
  for (const auto& [id, node] : nodes_) {
    if (node.is_member) out.push_back(id);
  }
  return out;
}

NodeId GossipSimulation::Pick(const std::vector<NodeId>& from) {
  return from[static_cast<std::size_t>(random_.Below(from.size()))];
}

bool GossipSimulation::IsConnected(NodeId a, NodeId b) const {
  const auto side = [&](NodeId id) {
    const auto found = side_.find(id);
    return found == side_.end() ? 0 : found->second;
  };
  return side(a) == side(b) && !cuts_.contains({a, b});
}

// ---- nodes ----

void GossipSimulation::Start(NodeId id) {
  Node& node = nodes_.at(id);
  ++node.run;
  GossipOptions options;
  options.self = id;
  options.seed = random_.Next();
  options.tombstone_age_min = absl::Seconds(15);
  std::vector<HeldRecord> records;
  std::set<TxnId> named;
  for (const auto& [key, held] : node.rows) {
    records.push_back(held);
    named.insert(held.record.txn);
  }
  // What was on its way when it stopped belongs to nobody.
  std::erase_if(node.chunks, [&](const TxnId& txn) { return !named.contains(txn); });
  node.core = std::make_unique<GossipCore>(options, node.state, std::move(records));
  Step(id, SetBuckets{{kBucket}});
  if (node.members.empty()) node.members = Members();
  SetPeers(id);
  TickSoon(id);
}

void GossipSimulation::Crash(NodeId id) {
  Node& node = nodes_.at(id);
  // It begins again before it was told: what it wrote on the old disk cannot be told from the rest of it.
  if (node.is_on_old_disk) GiveUpSince(node, node.old_disk_since);
  ++node.run;
  node.core = nullptr;
  ++counts_.crashes;
}

void GossipSimulation::TickSoon(NodeId id) {
  At(absl::Milliseconds(random_.Between(150, 300)), id, [this, id] {
    Step(id, Tick{});
    TickSoon(id);
  });
}

void GossipSimulation::SetPeers(NodeId id) {
  // That all are held for reachable is the harder case: rounds with dead ones have to end by themselves.
  const Node& node = nodes_.at(id);
  Step(id, gossip_store::SetPeers{node.members, node.members, LogIndex(node.members_version), node.departing});
}

void GossipSimulation::Step(NodeId id, Input input) {
  Node& node = nodes_.at(id);
  if (node.core == nullptr) return;
  Trace(id.value() * 31 + input.index());
  Output output = node.core->Step(now_, WallOf(node), std::move(input));
  if (is_faulty_ && !output.changes.empty() && random_.OneIn(1, kUnsyncedOneIn)) {
    // The power fails before the sync: all of the step is gone, and nobody has heard of it.
    ++counts_.unsynced;
    return Crash(id);
  }
  Obey(id, std::move(output));
}

void GossipSimulation::Keep(NodeId id, Node& node, const Change& change) {
  const auto old = node.rows.find(change.key);
  if (!change.held) {
    if (old == node.rows.end()) return Fail("a row that is not there is erased");
    if (old->second.record.is_tombstone) {
      Stamp& purged = purged_[change.key];
      purged = std::max(purged, old->second.record.stamp);
    }
    node.rows.erase(old);
    return;
  }
  const Record& record = change.held->record;
  if (old != node.rows.end() && old->second.record.stamp >= record.stamp) {
    return Fail(absl::StrCat("node ", id.value(), " replaces ", Text(old->second.record.stamp), " by the older ",
                             Text(record.stamp)));
  }
  const auto purged = purged_.find(change.key);
  // Until it is told so it does not know what to refuse; nobody may believe it then.
  if (purged != purged_.end() && record.stamp < purged->second && !node.is_on_old_disk) {
    return Fail(absl::StrCat("node ", id.value(), " brings back ", change.key.name, " of ", Text(record.stamp),
                             ", removed by ", Text(purged->second)));
  }
  if (!record.is_tombstone && !node.chunks.contains(record.txn)) {
    return Fail(absl::StrCat("node ", id.value(), " lists ", change.key.name, " without its bytes"));
  }
  node.rows[change.key] = *change.held;
}

void GossipSimulation::Obey(NodeId id, Output output) {
  Node& node = nodes_.at(id);
  if (output.has_lost_memory) {
    if (!node.is_on_old_disk) return Fail("a node that never lost anything is said to have");
    return BeginAnew(id);
  }
  if (output.state) node.state = *output.state;
  for (const Change& change : output.changes) Keep(id, node, change);
  for (const Record& record : output.dropped) {
    const auto held = node.rows.find(record.key);
    if (held != node.rows.end() && held->second.record.txn == record.txn && !record.is_tombstone) {
      return Fail(absl::StrCat("node ", id.value(), " drops the bytes of what it holds"));
    }
    node.chunks.erase(record.txn);
  }
  for (const WriteResult& result : output.results) {
    if (!result.stamp.ok()) ++counts_.refused_writes;
  }
  for (const Message& message : output.messages) Carry(message);
  for (const Fetch& fetch : output.fetches) DoFetch(id, fetch);
}

// ---- network ----

void GossipSimulation::Carry(const Message& message) {
  ++counts_.messages;
  Trace(message.body.index());
  if (!nodes_.contains(message.to) || !IsConnected(message.from, message.to) ||
      (is_faulty_ && random_.OneIn(5, 100))) {
    ++counts_.lost;
    return;
  }
  int copies = 1;
  if (is_faulty_ && random_.OneIn(3, 100)) {
    ++copies;
    ++counts_.doubled;
  }
  for (int i = 0; i < copies; ++i) {
    // Some come very late: news of names that are gone meanwhile.
    const absl::Duration delay = is_faulty_ && random_.OneIn(2, 100) ? absl::Milliseconds(random_.Between(1'000, 60'000))
                                                                    : absl::Microseconds(random_.Between(200, 30'000));
    events_.emplace(std::pair(now_ + delay, order_++), Event{NodeId(), 0, [this, message] {
                                                               Step(message.to, Receive{message});
                                                             }});
  }
}

void GossipSimulation::DoFetch(NodeId id, const Fetch& fetch) {
  ++counts_.fetches;
  At(absl::Microseconds(random_.Between(500, 400'000)), id, [this, id, fetch] {
    Node& node = nodes_.at(id);
    const auto source = nodes_.find(fetch.from);
    const bool is_there = source != nodes_.end() && source->second.core != nullptr &&
                          IsConnected(id, fetch.from) && source->second.chunks.contains(fetch.record.txn);
    const bool is_ok = is_there && !node.is_full && !(is_faulty_ && random_.OneIn(5, 100));
    if (is_ok) node.chunks.insert(fetch.record.txn);
    if (!is_ok) ++counts_.fetches_failed;
    Step(id, Fetched{fetch.record, is_ok});
  });
}

// ---- what happens ----

void GossipSimulation::WriteSomewhere() {
  const NodeId id = Pick(Members());
  Node& node = nodes_.at(id);
  if (node.core == nullptr) return;
  Write write;
  write.number = next_number_++;
  write.record.key = {kBucket, absl::StrCat("f", random_.Below(kNames))};
  write.record.is_tombstone = random_.OneIn(1, 3) || node.is_full;
  if (!write.record.is_tombstone) {
    write.record.txn = {Term(id.value()), write.number};
    write.record.size = write.number;
    node.chunks.insert(write.record.txn);
  }
  const Key key = write.record.key;
  Step(id, write);
  if (node.core == nullptr) return;  // the power failed: no answer
  const HeldRecord* const held = node.core->table().Find(key);
  if (held == nullptr || held->record.stamp.origin != id) return;  // refused
  if (held->record.size != write.record.size || held->record.is_tombstone != write.record.is_tombstone) return;
  ++counts_.writes;
  Stamp& newest = newest_[key];
  newest = std::max(newest, held->record.stamp);
  node.acknowledged.emplace_back(now_, held->record.stamp);
}

void GossipSimulation::BackUp(NodeId id) {
  Node& node = nodes_.at(id);
  if (node.core == nullptr || node.backup || node.is_on_old_disk) return;
  node.backup = Backup{now_, node.state, node.rows, node.chunks};
}

// Rule R23: the disk of an earlier time, once in a run, and no other member's at the same time.
void GossipSimulation::RestoreOldDisk(NodeId id) {
  Node& node = nodes_.at(id);
  if (!node.backup || counts_.old_disks > 0 || has_leave_ || now_ - node.backup->taken < kOldDiskAge) return;
  ++counts_.old_disks;
  if (node.core != nullptr) Crash(id);
  GiveUpSince(node, node.backup->taken);
  node.state = node.backup->state;
  node.rows = node.backup->rows;
  node.chunks = node.backup->chunks;
  node.is_on_old_disk = true;
  node.old_disk_since = now_;
  Start(id);
}

void GossipSimulation::GiveUpSince(const Node& node, MonotonicTime since) {
  for (const auto& [time, stamp] : node.acknowledged) {
    if (time >= since) lost_writes_.insert(stamp);
  }
}

void GossipSimulation::BeginAnew(NodeId id) {
  Node& node = nodes_.at(id);
  const BegunAnew anew = node.core->BeginAnew();
  node.is_on_old_disk = false;
  node.state = anew.state;
  node.rows.clear();
  for (const HeldRecord& held : anew.kept) node.rows[held.record.key] = held;
  Start(id);
}

void GossipSimulation::Partition() {
  ++counts_.partitions;
  side_.clear();
  cuts_.clear();
  const auto members = Members();
  if (random_.OneIn(1, 3)) {  // one-way
    for (int i = 0; i < 4; ++i) cuts_.insert({Pick(members), Pick(members)});
    return;
  }
  const auto sides = static_cast<std::uint64_t>(random_.Between(2, 3));
  for (const NodeId id : members) side_[id] = static_cast<int>(random_.Below(sides));
}

// Each node hears of it from its own log, one sooner than the other.
void GossipSimulation::ChangeMembers() {
  const auto members = Members();
  if (nodes_.size() < node_count_ + 2) {
    const NodeId id(static_cast<std::uint32_t>(nodes_.size() + 1));
    nodes_[id].is_member = true;
    ++counts_.joins;
    Start(id);
  } else if (has_leave_) {
    BeginLeave();
  } else if (counts_.forgets == 0) {
    // Not the oldest, and one that everybody has heard of in full: what only it knew would be lost with it.
    const NodeId id = members[1 + static_cast<std::size_t>(random_.Below(members.size() - 1))];
    Node& node = nodes_.at(id);
    if (node.core != nullptr) Crash(id);
    node.is_member = false;
    node.is_forgotten = true;
    lost_writers_.insert(id);
    ++counts_.forgets;
  }
  TellMembers();
}

void GossipSimulation::BeginLeave() {
  const auto members = Members();
  if (!leaving_.is_none() || members.size() < node_count_) return;
  leaving_ = members[1 + static_cast<std::size_t>(random_.Below(members.size() - 1))];
}

void GossipSimulation::MaybeEndLeave() {
  if (leaving_.is_none()) return;
  Node& node = nodes_.at(leaving_);
  if (node.core == nullptr || !node.departing.contains(leaving_) || !node.core->IsHandedOver()) return;
  Crash(leaving_);
  node.is_member = false;
  leaving_ = NodeId();
  ++counts_.leaves;
  TellMembers();
}

void GossipSimulation::TellMembers() {
  const auto now = Members();
  const std::uint64_t version = ++members_version_;
  const std::set<NodeId> departing = leaving_.is_none() ? std::set<NodeId>() : std::set<NodeId>{leaving_};
  for (const NodeId id : now) {
    const absl::Duration lag = absl::Milliseconds(random_.Between(0, 5'000));
    events_.emplace(std::pair(now_ + lag, order_++), Event{NodeId(), 0, [this, id, now, version, departing] {
                                                             Node& node = nodes_.at(id);
                                                             if (version <= node.members_version) return;
                                                             node.members_version = version;
                                                             node.members = now;
                                                             node.departing = departing;
                                                             if (node.core != nullptr) SetPeers(id);
                                                           }});
  }
}

void GossipSimulation::Act() {
  if (!is_faulty_) return;
  events_.emplace(std::pair(now_ + kActEvery, order_++), Event{NodeId(), 0, [this] { Act(); }});
  MaybeEndLeave();
  const auto members = Members();
  switch (random_.Below(40)) {
    case 0:
      Partition();
      break;
    case 1:
    case 2:
      side_.clear();
      cuts_.clear();
      break;
    case 3: {
      const NodeId id = Pick(members);
      if (nodes_.at(id).core != nullptr) Crash(id);
      break;
    }
    case 4:
    case 5: {
      const NodeId id = Pick(members);
      if (nodes_.at(id).core == nullptr) Start(id);
      break;
    }
    case 6:
      if (random_.OneIn(1, 5)) ChangeMembers();
      break;
    case 7: {
      // Mostly a little wrong; now and then so far that rule R24 is needed.
      Node& node = nodes_.at(Pick(members));
      const bool is_far = random_.OneIn(1, 40);
      node.skew = absl::Milliseconds(is_far ? random_.Between(-200'000, 200'000)
                                            : random_.Between(-10'000, 10'000));
      has_far_clock_ |= is_far;
      ++counts_.skews;
      break;
    }
    case 8:
      BackUp(Pick(members));
      break;
    case 9:
      RestoreOldDisk(Pick(members));
      break;
    case 10: {
      Node& node = nodes_.at(Pick(members));
      node.is_full = !node.is_full && random_.OneIn(1, 3);
      if (node.is_full) ++counts_.full_disks;
      break;
    }
    default:
      if (random_.OneIn(1, 2)) WriteSomewhere();
  }
}

void GossipSimulation::Heal() {
  is_faulty_ = false;
  leaving_ = NodeId();
  side_.clear();
  cuts_.clear();
  for (auto& [id, node] : nodes_) {
    if (!node.is_member) continue;
    node.skew = absl::ZeroDuration();
    node.is_full = false;
    node.departing.clear();
    node.members = Members();
    node.members_version = members_version_;
    if (node.core == nullptr) {
      Start(id);
    } else {
      SetPeers(id);
    }
  }
}

// ---- what must hold ----

std::string GossipSimulation::WhyNotEqual() const {
  std::map<Key, std::pair<Stamp, NodeId>> first;
  bool is_first = true;
  for (const auto& [id, node] : nodes_) {
    if (!node.is_member) continue;
    std::size_t live = 0;
    for (const auto& [key, held] : node.rows) {
      if (held.record.is_tombstone) continue;
      ++live;
      if (is_first) {
        first[key] = {held.record.stamp, id};
        continue;
      }
      const auto other = first.find(key);
      if (other == first.end() || other->second.first != held.record.stamp) {
        return absl::StrCat("node ", id.value(), " has another ", key.name, " than the first");
      }
    }
    if (!is_first && live != first.size()) return absl::StrCat("node ", id.value(), " lacks names");
    is_first = false;
  }
  return "";
}

bool GossipSimulation::HasTombstones() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const auto& entry) {
    return entry.second.is_member && entry.second.core->table().tombstones() > 0;
  });
}

// The newest of all acknowledged writes is what is there; a node that was forgotten may have taken its own along.
void GossipSimulation::CheckFiles() {
  const Node& any = nodes_.at(Members().front());
  for (const auto& [key, newest] : newest_) {
    const auto row = any.rows.find(key);
    if (row != any.rows.end() && row->second.record.stamp == newest) continue;
    if (lost_writers_.contains(newest.origin) || lost_writes_.contains(newest)) continue;
    // A tombstone that is gone leaves nothing.
    const auto purged = purged_.find(key);
    if (row == any.rows.end() && purged != purged_.end() && purged->second == newest) continue;
    Fail(absl::StrCat(key.name, " is not as it was written last, ", Text(newest)));
  }
}

void GossipSimulation::CheckRest() {
  for (const auto& [id, node] : nodes_) {
    if (!node.is_member) continue;
    std::set<TxnId> named;
    for (const auto& [key, held] : node.rows) {
      if (!held.record.is_tombstone) named.insert(held.record.txn);
      const HeldRecord* const there = node.core->table().Find(key);
      if (there == nullptr || there->record != held.record) Fail("disk and memory differ");
    }
    if (named != node.chunks) Fail(absl::StrCat("node ", id.value(), " holds bytes that nothing names"));
    counts_.purged += node.core->counts().purged;
    counts_.refused_records += node.core->counts().refused;
    counts_.held_back += node.core->counts().held_back;
  }
}

std::string GossipSimulation::Run() {
  for (const NodeId id : Members()) Start(id);
  Act();
  RunUntil(now_ + faulty_);
  Heal();
  // What came from the future is taken once it is not so far ahead any more.
  if (has_far_clock_) RunUntil(now_ + absl::Seconds(210));
  const MonotonicTime healed = now_;
  const double rounds = 10 * std::log2(static_cast<double>(Members().size()));
  while (violation_.empty() && !WhyNotEqual().empty()) {
    RunUntil(now_ + absl::Milliseconds(100));
    if (now_ - healed > absl::Seconds(rounds)) Fail("not equal after 10 log2(N) rounds: " + WhyNotEqual());
  }
  if (!has_far_clock_) counts_.longest_convergence = now_ - healed;
  RunUntil(now_ + absl::Minutes(1));  // what was still under way arrives
  // All members are there: every tombstone has to go.
  const MonotonicTime equal = now_;
  while (violation_.empty() && HasTombstones()) {
    RunUntil(now_ + absl::Seconds(1));
    if (now_ - equal > absl::Minutes(5)) Fail("tombstones are kept for ever");
  }
  if (!violation_.empty()) return violation_;
  if (const std::string why = WhyNotEqual(); !why.empty()) Fail(why);
  CheckFiles();
  CheckRest();
  return violation_;
}

}  // namespace dfs::gossip_store
