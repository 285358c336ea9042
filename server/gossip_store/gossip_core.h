// Gossip buckets as a function of (state, time, input): writes without leader or quorum, rumours, anti-entropy, tombstones
// (rules R23, R24; README.md).
//
// Epidemic algorithms (Demers et al. 1987): rumour mongering spreads news, anti-entropy finds what it missed; last writer
// wins by hybrid logical clock and origin.
//
// Does no I/O, reads no clock, has no thread and no lock; not thread-safe. Equal inputs give equal outputs.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_CORE_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_CORE_H_

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "common/clock.h"
#include "common/random.h"
#include "server/gossip_store/clock_watch.h"
#include "server/gossip_store/gossip_message.h"
#include "server/gossip_store/inclusion.h"
#include "server/gossip_store/record_table.h"
#include "server/gossip_store/sync_round.h"

namespace dfs::gossip_store {

struct GossipOptions {
  NodeId self;
  std::uint64_t seed = 1;
  std::size_t fan_out = 2;                              // peers that are told of news
  absl::Duration sync_interval = absl::Seconds(1);      // between rounds with a peer each
  absl::Duration tombstone_age_min = absl::Minutes(1);  // longer than any round
  absl::Duration clock_off_max = absl::Seconds(60);
  std::size_t records_max = 1'000'000;
};

// What is durable of a node, beside its records.
struct GossipState {
  HybridTime clock_bound;     // no time that was ever given is greater
  InclusionRow included;      // the node's own row
  bool is_complete = false;   // it has once taken over a whole state
  // Its records were lost. Peers know rows of it that it does not have; until a whole round with each of them it takes
  // that for what it is.
  bool has_begun_anew = false;
  HybridTime purged_through = {};  // no tombstone that it let go is newer
  bool operator==(const GossipState& other) const {
    return clock_bound == other.clock_bound && included.had == other.included.had &&
           is_complete == other.is_complete && has_begun_anew == other.has_begun_anew &&
           purged_through == other.purged_through;
  }
};

// What a node goes on with whose records turned out to be an old state.
struct BegunAnew {
  GossipState state;
  // What was written here since this start, and so is no part of the old state: acknowledged, and perhaps known to nobody
  // else. All others may be known to be superseded and forgotten.
  std::vector<HeldRecord> kept;
};

// ---- inputs ----

struct Tick {};
// From the transport, which has proved `message.from`; all else in it is checked here.
struct Receive {
  Message message;
};
struct SetPeers {
  std::vector<NodeId> members;    // by the replicated log; self may be among them
  std::vector<NodeId> reachable;  // those that are not known to be dead
  LogIndex index;                 // of the entry that changed the members last
  std::set<NodeId> departing = {};  // members that the log says are to go or to be drained; self may be among them
};
// The gossip buckets that this node's log knows. Records of others are not taken.
struct SetBuckets {
  std::set<BucketId> buckets;
};
// By the replicated log this bucket was removed. What is held of it goes, in several steps.
struct DropBucket {
  BucketId bucket;
};
// A file whose chunks are durable here, or a tombstone; what a tombstone has not is ignored. `stamp.time`: of what is known
// to be replaced, 0 if nothing is: the write's own is greater, unless that is from the future (rule R24).
struct Write {
  std::uint64_t number = 0;  // of the caller's, for the answer
  Record record;
};
// The end of a fetch that was asked for: the chunks of that record are durable here, or not.
struct Fetched {
  Record record;
  bool is_ok = false;
};
using Input = std::variant<Tick, Receive, SetPeers, SetBuckets, DropBucket, Write, Fetched>;

// ---- output ----

struct Change {
  Key key;
  std::optional<HeldRecord> held;  // none: erased
};
struct WriteResult {
  std::uint64_t number = 0;
  absl::StatusOr<Stamp> stamp;  // errors as GossipCore::CheckWrite
};
struct Fetch {
  Record record;
  NodeId from;
};

// The host makes `changes` and `state` durable, in one batch, before anything else of the output is done.
struct Output {
  std::vector<Change> changes;
  std::optional<GossipState> state;
  std::vector<WriteResult> results;
  std::vector<Message> messages;
  std::vector<Fetch> fetches;    // answered by Fetched each; at most kFetchesMax are under way
  std::vector<Record> dropped;   // nobody here needs their chunks any more
  // A peer knows of more that this node had than it has: an old state came back (rule R23). Nothing else is in the output;
  // the host begins with a core that has what BeginAnew() says, and nothing else.
  bool has_lost_memory = false;
  MonotonicTime next_deadline = absl::InfiniteFuture();
};

struct GossipCounts {
  std::uint64_t rounds = 0;         // that ended with everything taken over
  std::uint64_t rounds_failed = 0;
  std::uint64_t refused = 0;        // records that had been superseded and forgotten (rule R23)
  std::uint64_t held_back = 0;      // records from the future (rule R24)
  std::uint64_t purged = 0;         // tombstones
};

class GossipCore {
 public:
  static constexpr std::size_t kFetchesMax = 512;
  static constexpr std::size_t kErasedPerStepMax = 1'000;
  static constexpr std::size_t kToldMax = 4'096;  // of its own times that are remembered as told; about one a second
  static constexpr absl::Duration kClockReserve = absl::Seconds(10);
  // The same where its times are ahead of the clock already: starts must not drive them on.
  static constexpr absl::Duration kClockReserveAhead = absl::Milliseconds(1);

  GossipCore(const GossipOptions& options, const GossipState& state,
             std::vector<HeldRecord> records);

  [[nodiscard]] Output Step(MonotonicTime now, absl::Time wall, Input input);

  // Whether writes are taken. kUnavailable: this node is to leave the cluster; kFailedPrecondition: its clock is wrong, or
  // was so far ahead that its times still are (rule R24); kResourceExhausted: it holds too many records. Nothing happened.
  [[nodiscard]] absl::Status CheckWrite(MonotonicTime now, absl::Time wall);
  // What must be added to this node's clock to be at the median of its peers; if that is little, but the times that it has
  // given are too far ahead of it for writes, what must be added to them.
  [[nodiscard]] absl::Duration ClockOff(MonotonicTime now, absl::Time wall);

  [[nodiscard]] const RecordTable& table() const { return table_; }
  [[nodiscard]] const GossipCounts& counts() const { return counts_; }
  [[nodiscard]] const InclusionTable& inclusion() const { return inclusion_; }
  [[nodiscard]] const std::optional<SyncRound>& round() const { return round_; }
  // After has_lost_memory.
  [[nodiscard]] BegunAnew BeginAnew() const;
  // This node is to leave or to be drained, and a member that stays has taken over all that it has.
  [[nodiscard]] bool IsHandedOver() const;
  // Names that were written here and of which no member that stays is known to have what this node has. Whoever takes
  // it over by a rumour says so with its next round only.
  [[nodiscard]] std::size_t CountAlone() const { return alone_.size(); }
  // Its records were lost, and it has not taken over all members' yet.
  [[nodiscard]] bool has_begun_anew() const { return has_begun_anew_; }
  // Its state holds what its peers' did once; before that it takes over states only, no news.
  [[nodiscard]] bool IsComplete() const;

 private:
  void Handle(Tick tick);
  void Handle(Receive received);
  void Handle(SetPeers peers);
  void Handle(SetBuckets buckets);
  void Handle(DropBucket drop);
  void Handle(Write write);
  void Handle(Fetched fetched);
  // By message.
  void Take(NodeId from, const Rumours& rumours);
  void Take(NodeId from, const SyncBegin& begin);
  void Take(NodeId from, const SyncState& state);
  void Take(NodeId from, const AskLeaves& ask);
  void Take(NodeId from, const Leaves& leaves);
  void Take(NodeId from, const AskRecords& ask);
  void Take(NodeId from, const LeafRecords& records);

  enum class Source { kRumour, kRound };
  enum class Verdict {
    kNew,
    kKnown,       // it, or something newer, is held or on its way
    kForgotten,   // it was superseded, and what superseded it is gone
    kNotYet,      // it may be taken later
  };
  [[nodiscard]] Verdict Judge(const Record& record, Source source);
  // Whether this node had every record that `origin` wrote up to that time.
  [[nodiscard]] bool HasSeen(NodeId origin, HybridTime time) const;
  [[nodiscard]] bool IsFromTheFuture(const Record& record);
  // A tombstone at once, a file once its chunks are here. `is_news`: others are told.
  void Accept(const Record& record, NodeId from, bool is_news);
  void Apply(const Record& record, NodeId from, bool is_news);
  void Erase(const Key& key);
  void Spread();
  void BeginRound();
  void GoOn();
  void EndRound(bool has_all);
  [[nodiscard]] bool IsOfRound(NodeId from, std::uint64_t number) const;
  void Purge();
  void Send(NodeId to, MessageBody body);
  [[nodiscard]] HybridTime NextTime();
  // The time by which this node gives its own: its clock, or the median of its peers if that is known to be right.
  void SetTime();
  [[nodiscard]] absl::Duration TimesAhead(MonotonicTime now, absl::Time wall);
  void EraseDoomed();
  // For `to`: this node's own, what is known of that of `to`, and some of the others, in turn.
  [[nodiscard]] std::vector<InclusionRow> RowsFor(NodeId to);
  void RecordRows(const std::vector<InclusionRow>& rows);
  // `count` different reachable peers, or all there are.
  [[nodiscard]] std::vector<NodeId> RandomPeers(std::size_t count, NodeId except);
  [[nodiscard]] GossipState State() const;
  // Up to when a member that stays has all that this node had.
  [[nodiscard]] HybridTime TakenOver() const;
  // A peer's word of this node's own row.
  void RecordOwnRow(const InclusionRow& row);

  const GossipOptions options_;
  Random random_;
  HybridClock clock_;
  HybridTime clock_bound_;
  const HybridTime first_bound_;  // what this core has written itself is newer
  bool is_complete_;
  bool has_begun_anew_;
  HybridTime purged_through_;
  RecordTable table_;
  InclusionTable inclusion_;
  ClockWatch clocks_;
  std::vector<NodeId> members_;
  LogIndex members_index_;
  LogIndex first_members_index_;                 // of this run
  std::map<NodeId, LogIndex> departed_;          // in this run
  std::map<NodeId, LogIndex> included_members_;  // SyncState.members_index of the last whole round with each
  std::vector<NodeId> reachable_;
  std::set<NodeId> departing_;
  std::optional<HybridTime> leaving_since_;  // what was written here is older
  std::deque<HybridTime> told_;  // the last SyncState.as_of of this core, in order
  std::set<HybridTime> alone_;  // of CountAlone: when they were applied
  std::set<BucketId> buckets_;
  struct Pending {
    Stamp stamp;
    NodeId from;
    bool is_news = false;
  };
  std::map<Key, Pending> fetching_;   // the newest of each name
  std::size_t fetches_ = 0;           // under way, superseded ones too
  std::set<BucketId> doomed_;
  std::optional<SyncRound> round_;
  std::uint64_t next_round_ = 1;
  absl::Duration answer_patience_ = SyncRound::kAnswerPatienceMin;  // longer while rounds end by silence
  NodeId last_row_told_;  // of the others
  MonotonicTime next_sync_ = absl::InfinitePast();
  GossipCounts counts_;

  // Of the step under way.
  MonotonicTime now_;
  absl::Time wall_;
  absl::Time time_;  // of SetTime
  Output out_;
  struct News {
    Record record;
    NodeId from;
  };
  std::vector<News> news_;
  bool is_state_changed_ = false;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_CORE_H_
