#include "server/gossip_store/gossip_host.h"

#include <algorithm>

#include <glog/logging.h>

#include "common/gossip_txn.h"
#include "common/status_macros.h"
#include "server/chunk/chunk_copy.h"
#include "server/gossip_store/gossip_chunks.h"

namespace dfs::gossip_store {
namespace {

absl::Status HasStopped() { return absl::UnavailableError("gossip buckets are not served: this node stops"); }

// Sets the event at its end, also when what owns it is dropped unrun.
class SetAtEnd {
 public:
  explicit SetAtEnd(Event* event) : event_(event) {}
  ~SetAtEnd() { event_->Set(); }
  SetAtEnd(const SetAtEnd&) = delete;
  SetAtEnd& operator=(const SetAtEnd&) = delete;

 private:
  Event* const event_;
};

// Answers of several that somebody waits for, for a while: late ones find it still there.
struct Answers {
  Mutex mutex;
  std::size_t open ABSL_GUARDED_BY(mutex) = 0;
  std::vector<std::pair<NodeId, HeldThere>> held ABSL_GUARDED_BY(mutex);
  Event done;
};

}  // namespace

GossipHost::GossipHost(Parts parts) : parts_(std::move(parts)) {}

GossipHost::~GossipHost() { Stop(); }

absl::Status GossipHost::Start() {
  DFS_ASSIGN_OR_RETURN(StoredGossip stored, parts_.table->Load());
  const GossipState state = stored.state;
  MakeCore(state, std::move(stored.records));
  // After a loss the records come back from the peers, and the bytes need not.
  if (!state.has_begun_anew) {
    const std::size_t swept = SweepChunks(
        parts_.store, [this](const TxnId& txn) { return IsNeeded(txn); }, absl::InfiniteFuture(), kSweptMax);
    LOG_IF(INFO, swept > 0) << "gossip buckets: " << swept << " chunks that no record names are gone";
  }
  next_sweep_ = parts_.clock->Now() + parts_.sweep_every;
  pool_ = std::make_unique<ThreadPool>("gossip-fetch", kFetchThreads);
  executor_ = std::make_unique<ThreadExecutor>("gossip", *parts_.clock);
  executor_->Post([this] { Loop(); });
  return absl::OkStatus();
}

void GossipHost::Stop() {
  std::vector<Waiting> dropped;
  {
    MutexLock lock(&mutex_);
    is_stopped_ = true;
    dropped.swap(inbox_);
  }
  if (executor_ != nullptr) executor_->Stop();
  if (pool_ != nullptr) pool_->Stop();
  for (Waiting& waiting : dropped) {
    if (waiting.done) waiting.done(HasStopped());
  }
  for (auto& [number, done] : std::exchange(open_writes_, {})) done(HasStopped());
}

void GossipHost::MakeCore(const GossipState& state, std::vector<HeldRecord> records) {
  {
    MutexLock lock(&txns_mutex_);
    by_txn_.clear();
  }
  for (const HeldRecord& held : records) Note({held.record.key, held});
  core_ = std::make_unique<GossipCore>(parts_.options, state, std::move(records));
  has_looked_ = false;
}

TxnId GossipHost::NewTxn() {
  const TxnId txn = GossipTxn(parts_.options.self, parts_.boot_epoch, next_txn_.fetch_add(1));
  BeginUse(txn);
  return txn;
}

bool GossipHost::IsNeeded(const TxnId& txn) const {
  MutexLock lock(&txns_mutex_);
  return by_txn_.contains(txn) || in_use_.contains(txn);
}

void GossipHost::BeginUse(const TxnId& txn) {
  MutexLock lock(&txns_mutex_);
  in_use_.insert(txn);
}

void GossipHost::EndUse(const TxnId& txn) {
  MutexLock lock(&txns_mutex_);
  if (const auto found = in_use_.find(txn); found != in_use_.end()) in_use_.erase(found);
}

// ---- inputs ----

bool GossipHost::Enqueue(Waiting waiting) {
  bool is_first = false;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_ || inbox_.size() >= kInboxMax) return false;
    is_first = inbox_.empty();
    inbox_.push_back(std::move(waiting));
  }
  if (is_first) executor_->Post([this] { Drain(); });
  return true;
}

void GossipHost::Drain() {
  std::vector<Waiting> batch;
  {
    MutexLock lock(&mutex_);
    if (inbox_.size() <= kStepsMax) {
      batch.swap(inbox_);
    } else {
      const auto end = inbox_.begin() + kStepsMax;
      batch.assign(std::make_move_iterator(inbox_.begin()), std::make_move_iterator(end));
      inbox_.erase(inbox_.begin(), end);
      executor_->Post([this] { Drain(); });
    }
  }
  Process(std::move(batch));
}

void GossipHost::Loop() {
  if (!failure_.ok()) return;
  Look();
  // A cluster without gossip buckets is not to hear of them.
  if (!around_.buckets.empty() || core_->table().size() > 0) {
    std::vector<Waiting> tick;
    tick.push_back({Tick{}, nullptr});
    Process(std::move(tick));
  } else {
    next_deadline_ = absl::InfiniteFuture();  // the core's, which no tick moves on
  }
  PublishHealth();
  MaybeSweep();
  const MonotonicTime now = parts_.clock->Now();
  executor_->PostAt(std::clamp(next_deadline_, now, now + kLookEvery), [this] { Loop(); });
}

void GossipHost::Look() {
  Surroundings seen = parts_.look();
  std::vector<Waiting> inputs;
  inputs.push_back({seen.peers, nullptr});
  if (!has_looked_ || seen.buckets != around_.buckets) {
    inputs.push_back({SetBuckets{seen.buckets}, nullptr});
  }
  // Those of a bucket that the log does not know yet (it is applied anew after a start) are not touched.
  std::erase_if(held_buckets_, [&](BucketId bucket) {
    if (seen.buckets.contains(bucket) || bucket >= seen.next_bucket) return false;
    LOG(INFO) << "gossip bucket " << bucket << " was removed; what is held of it goes";
    inputs.push_back({DropBucket{bucket}, nullptr});
    return true;
  });
  around_ = std::move(seen);
  has_looked_ = true;
  Process(std::move(inputs));
}

void GossipHost::Process(std::vector<Waiting> batch) {
  std::vector<Output> outputs;
  bool has_lost_memory = false;
  for (Waiting& waiting : batch) {
    if (!failure_.ok() || has_lost_memory) {
      Refuse(std::move(waiting), failure_.ok() ? absl::UnavailableError("try again") : failure_);
      continue;
    }
    if (waiting.done) {
      const std::uint64_t number = next_write_++;
      std::get<Write>(waiting.input).number = number;
      open_writes_.emplace(number, std::move(waiting.done));
    }
    outputs.push_back(
        core_->Step(parts_.clock->Now(), parts_.clock->WallNow(), std::move(waiting.input)));
    next_deadline_ = outputs.back().next_deadline;
    has_lost_memory = outputs.back().has_lost_memory;
  }
  if (!Persist(outputs)) return;
  for (Output& output : outputs) Obey(std::move(output));
  if (has_lost_memory) BeginAnew();
}

// Nothing of it was done.
void GossipHost::Refuse(Waiting waiting, const absl::Status& why) {
  if (!waiting.done) return;
  const Record& record = std::get<Write>(waiting.input).record;
  Drop(record.txn, record.chunks.size());
  waiting.done(why);
}

bool GossipHost::Persist(const std::vector<Output>& outputs) {
  std::vector<Change> changes;
  std::optional<GossipState> state;
  for (const Output& output : outputs) {
    changes.insert(changes.end(), output.changes.begin(), output.changes.end());
    if (output.state) state = output.state;
  }
  if (changes.empty() && !state) return failure_.ok();
  failure_ = parts_.table->Write(changes, state);
  if (failure_.ok()) return true;
  for (auto& [number, done] : std::exchange(open_writes_, {})) done(failure_);
  parts_.on_fatal(failure_);
  return false;
}

void GossipHost::Obey(Output output) {
  for (const Change& change : output.changes) Note(change);
  for (WriteResult& result : output.results) {
    const auto open = open_writes_.find(result.number);
    if (open == open_writes_.end()) continue;
    open->second(std::move(result.stamp));
    open_writes_.erase(open);
  }
  for (Message& message : output.messages) parts_.transport->Send(std::move(message));
  for (const Fetch& fetch : output.fetches) StartFetch(fetch);
  for (const Record& record : output.dropped) {
    {
      MutexLock lock(&txns_mutex_);
      by_txn_.erase(record.txn);
    }
    Drop(record.txn, record.chunks.size());
  }
}

void GossipHost::Note(const Change& change) {
  if (!change.held) return;
  held_buckets_.insert(change.key.bucket);
  const Record& record = change.held->record;
  if (record.is_tombstone) return;
  MutexLock lock(&txns_mutex_);
  by_txn_[record.txn] = record.key;
}

// Rule R23. Bytes that are here stay: what the peers still list need not be fetched.
void GossipHost::BeginAnew() {
  BegunAnew anew = core_->BeginAnew();
  LOG(ERROR) << "THE RECORDS OF GOSSIP BUCKETS ON THIS NODE ARE AN OLD STATE: peers know of more that it had. Its "
             << core_->table().size() << " names are taken over from the other members anew, but for "
             << anew.kept.size() << " that were written here since it started";
  failure_ = parts_.table->BeginAnew(anew);
  if (!failure_.ok()) return parts_.on_fatal(failure_);
  MakeCore(anew.state, std::move(anew.kept));
}

// ---- bytes ----

std::vector<NodeId> GossipHost::Reachable() const {
  std::vector<NodeId> out;
  for (const NodeId node : around_.peers.reachable) {
    if (node != parts_.options.self) out.push_back(node);
  }
  return out;
}

void GossipHost::StartFetch(const Fetch& fetch) {
  std::vector<NodeId> sources = {fetch.from};
  if (fetch.record.stamp.origin != fetch.from) sources.push_back(fetch.record.stamp.origin);
  BeginUse(fetch.record.txn);
  pool_->Post([this, record = fetch.record, sources] {
    const absl::Status fetched = FetchChunks(parts_.store, parts_.peers, record, sources);
    ++(fetched.ok() ? fetches_ : fetches_failed_);
    if (!fetched.ok()) NoteFailedFetch(record, fetched);
    // Not through the inbox, which may be full: their number is bounded by the core.
    executor_->Post([this, record, is_ok = fetched.ok()] {
      std::vector<Waiting> input;
      input.push_back({Fetched{record, is_ok}, nullptr});
      Process(std::move(input));
      EndUse(record.txn);
    });
  });
}

// A full disk fails hundreds of them a second.
void GossipHost::NoteFailedFetch(const Record& record, const absl::Status& why) {
  const std::int64_t now = absl::ToUnixSeconds(parts_.clock->Now());
  const std::int64_t last = fetch_failure_logged_s_.exchange(now);
  if (now - last < absl::ToInt64Seconds(kFetchFailuresLoggedEvery)) {
    fetch_failure_logged_s_ = last;
    return;
  }
  LOG(INFO) << "a file of gossip bucket " << record.key.bucket << " was not taken over: " << why << " (" << fetches_failed_
            << " so far)";
}

void GossipHost::Drop(const TxnId& txn, std::size_t count) {
  EndUse(txn);
  if (count == 0) return;
  {
    MutexLock lock(&txns_mutex_);
    drops_.emplace_back(txn, count);
    if (std::exchange(is_dropping_, true)) return;
  }
  pool_->Post([this] { DropSome(); });
}

// On one thread of the pool, and at the end of its queue again: of a removed bucket there are hundreds of thousands, and
// fetches are not to wait for all of them.
void GossipHost::DropSome() {
  std::vector<std::pair<TxnId, std::size_t>> some;
  bool has_more = false;
  {
    MutexLock lock(&txns_mutex_);
    for (; !drops_.empty() && some.size() < kDropsAtOnce; drops_.pop_front()) some.push_back(drops_.front());
  }
  for (const auto& [txn, count] : some) DropChunks(parts_.store, txn, count);
  {
    MutexLock lock(&txns_mutex_);
    has_more = is_dropping_ = !drops_.empty();
  }
  if (has_more) pool_->Post([this] { DropSome(); });
}

void GossipHost::Heal(const ChunkId& bad) {
  {
    MutexLock lock(&mutex_);
    if (is_stopped_ || healing_.size() >= kHealsMax || !healing_.insert(bad).second) return;
  }
  executor_->Post([this, bad] {
    const auto record = RecordOf(bad.txn);
    if (!record || bad.index >= record->chunks.size()) return EndHeal(bad);
    pool_->Post([this, bad, info = ChunkOf(*record, bad.index), sources = Reachable()] {
      const auto healed = chunk::CopyChunk(parts_.store, parts_.peers, info, sources);
      LOG(INFO) << "chunk " << bad << " of a gossip bucket "
                << (healed.ok() ? "is made anew" : "stays damaged: " + healed.status().ToString());
      EndHeal(bad);
    });
  });
}

void GossipHost::EndHeal(const ChunkId& chunk) {
  MutexLock lock(&mutex_);
  healing_.erase(chunk);
}

// What a fetch left that failed half-way, what was healed too late, what a loss of records left. After a loss the
// records come back first.
void GossipHost::MaybeSweep() {
  const MonotonicTime now = parts_.clock->Now();
  if (is_sweeping_ || now < next_sweep_ || core_->has_begun_anew()) return;
  next_sweep_ = now + parts_.sweep_every;
  is_sweeping_ = true;
  pool_->Post([this, untouched = parts_.clock->WallNow() - parts_.swept_after] {
    const std::size_t swept = SweepChunks(
        parts_.store, [this](const TxnId& txn) { return IsNeeded(txn); }, untouched, kSweptMax);
    LOG_IF(INFO, swept > 0) << "gossip buckets: " << swept << " chunks that no record names are gone";
    executor_->Post([this] { is_sweeping_ = false; });
  });
}

// ---- what others ask ----

bool GossipHost::IsStopped() const {
  MutexLock lock(&mutex_);
  return is_stopped_;
}

bool GossipHost::RunThere(absl::AnyInvocable<void()> task) {
  if (IsStopped()) return false;
  Event event;
  bool has_run = false;
  executor_->Post([&has_run, &task, end = std::make_unique<SetAtEnd>(&event)] {
    task();
    has_run = true;
  });
  event.Wait();
  return has_run;
}

void GossipHost::Receive(Message message) {
  // Dropped if the inbox is full: rounds repeat themselves.
  static_cast<void>(Enqueue({gossip_store::Receive{std::move(message)}, nullptr}));
}

void GossipHost::Find(Key key, HeldCallback done) {
  absl::Status refused;
  {
    MutexLock lock(&mutex_);
    if (is_stopped_) {
      refused = HasStopped();
    } else if (finds_ >= kFindsMax) {
      refused = absl::ResourceExhaustedError("too many questions wait at this node");
    } else {
      ++finds_;
    }
  }
  if (!refused.ok()) return done(std::move(refused));
  executor_->Post([this, key = std::move(key), done = std::move(done)]() mutable {
    {
      MutexLock lock(&mutex_);
      --finds_;
    }
    HeldThere out{std::nullopt, parts_.clock->WallNow()};
    if (const HeldRecord* const held = core_->table().Find(key)) out.record = held->record;
    done(std::move(out));
  });
}

std::vector<absl::StatusOr<Stamp>> GossipHost::WriteAll(std::vector<Record> records) {
  std::vector<absl::StatusOr<Stamp>> out(records.size(), HasStopped());
  std::vector<std::unique_ptr<Event>> events;
  std::vector<TxnId> txns;
  for (std::size_t i = 0; i < records.size(); ++i) {
    Event* const event = events.emplace_back(std::make_unique<Event>()).get();
    const TxnId txn = records[i].txn;
    const std::size_t chunks = records[i].chunks.size();
    txns.push_back(txn);
    Waiting waiting{Write{0, std::move(records[i])},
                    [&result = out[i], event](absl::StatusOr<Stamp> stamp) {
                      result = std::move(stamp);
                      event->Set();
                    }};
    if (Enqueue(std::move(waiting))) continue;
    if (!IsStopped()) out[i] = absl::ResourceExhaustedError("too many writes wait at this node");
    Drop(txn, chunks);
    event->Set();
  }
  for (const auto& event : events) event->Wait();
  for (const TxnId& txn : txns) EndUse(txn);
  return out;
}

absl::StatusOr<std::optional<Record>> GossipHost::Held(const Key& key) {
  std::optional<Record> out;
  const bool has_run = RunThere([&] {
    if (const HeldRecord* const held = core_->table().Find(key)) out = held->record;
  });
  if (!has_run) return HasStopped();
  return out;
}

absl::StatusOr<std::vector<Record>> GossipHost::List(BucketId bucket, std::string_view prefix,
                                                     std::string_view after) {
  std::vector<Record> out;
  const bool has_run = RunThere([&] {
    core_->table().Scan(bucket, prefix, after, [&](const HeldRecord& held) {
      if (!held.record.is_tombstone) out.push_back(held.record);
      return out.size() < kListMax;
    });
  });
  if (!has_run) return HasStopped();
  return out;
}

GossipTotals GossipHost::Totals(BucketId bucket) {
  GossipTotals out;
  RunThere([&] {
    core_->table().Scan(bucket, "", "", [&](const HeldRecord& held) {
      if (held.record.is_tombstone) return true;
      ++out.files;
      out.bytes += held.record.size;
      return true;
    });
  });
  return out;
}

std::optional<Record> GossipHost::FindByTxn(const TxnId& txn) {
  std::optional<Record> out;
  RunThere([&] { out = RecordOf(txn); });
  return out;
}

std::optional<Record> GossipHost::RecordOf(const TxnId& txn) const {
  Key key;
  {
    MutexLock lock(&txns_mutex_);
    const auto found = by_txn_.find(txn);
    if (found == by_txn_.end()) return std::nullopt;
    key = found->second;
  }
  const HeldRecord* const held = core_->table().Find(key);
  if (held == nullptr || held->record.txn != txn) return std::nullopt;
  return held->record;
}

std::vector<std::pair<NodeId, Record>> GossipHost::AskPeers(const Key& key) {
  std::vector<NodeId> peers;
  // As of now, not as of the last look.
  const bool has_run = RunThere([&] {
    around_.peers.reachable = parts_.look().peers.reachable;
    peers = Reachable();
  });
  if (!has_run || peers.empty()) return {};
  const auto answers = std::make_shared<Answers>();
  {
    MutexLock lock(&answers->mutex);
    answers->open = peers.size();
  }
  for (const NodeId peer : peers) {
    parts_.transport->Ask(peer, key, kMissTimeout, [answers, peer](absl::StatusOr<HeldThere> held) {
      MutexLock lock(&answers->mutex);
      LOG_IF(INFO, !held.ok()) << "node " << peer << " does not say what it holds: " << held.status();
      if (held.ok() && held->record) answers->held.emplace_back(peer, *std::move(held));
      if (--answers->open == 0) answers->done.Set();
    });
  }
  answers->done.WaitFor(kMissTimeout);
  std::vector<std::pair<NodeId, Record>> out;
  MutexLock lock(&answers->mutex);
  for (const auto& [peer, held] : answers->held) {
    Receive({peer, parts_.options.self, held.wall, Rumours{{*held.record}}});
    out.emplace_back(peer, *held.record);
  }
  return out;
}

GossipHealth GossipHost::GetHealth() const {
  MutexLock lock(&mutex_);
  return health_;
}

void GossipHost::PublishHealth() {
  GossipHealth health;
  health.counts = core_->counts();
  health.names = core_->table().size();
  health.tombstones = core_->table().tombstones();
  health.is_complete = core_->IsComplete();
  health.is_handed_over = core_->IsHandedOver();
  health.alone = core_->CountAlone();
  health.fetches = fetches_.load();
  health.fetches_failed = fetches_failed_.load();
  health.clock_off = core_->ClockOff(parts_.clock->Now(), parts_.clock->WallNow());
  core_->table().ScanTombstones(HybridTime(~std::uint64_t{0}), [&](const HeldRecord& held) {
    health.oldest_tombstone_age =
        std::max(parts_.clock->WallNow() - WallOf(held.applied), absl::Milliseconds(1));
    return false;
  });
  MutexLock lock(&mutex_);
  health_ = health;
}

}  // namespace dfs::gossip_store
