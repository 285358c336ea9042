// The starting phase of a member (rule R3): asks everybody what they know of it, finds out where
// everybody is, and says when it may take part, or that its disk was rolled back. Afterwards it
// goes on asking whoever has not answered.
//
// Deterministic: Step(now, input) -> output; no I/O, no clock, no lock; not thread-safe.
#ifndef DFS_SERVER_REPLICATED_LOG_START_CHECK_CORE_H_
#define DFS_SERVER_REPLICATED_LOG_START_CHECK_CORE_H_

#include <map>
#include <optional>
#include <set>
#include <string>
#include <variant>
#include <vector>

#include "common/clock.h"
#include "common/ids.h"
#include "server/consensus/configuration.h"
#include "server/replicated_log/witness_marks.h"

namespace dfs::replicated_log {

struct StartCheckOptions {
  NodeId self;
  std::string own_address;                                   // of the peer port; never asked
  absl::Duration patience = absl::Seconds(2);                // then a majority is enough
  absl::Duration ask_every = absl::Milliseconds(20);         // who has not answered, until then
  absl::Duration ask_later_every = absl::Milliseconds(500);  // after that
};

// What another member said.
struct Greeting {
  NodeId node;
  StorageUuid storage_uuid;
  bool refuses_epoch =
      false;           // this data directory is known there with a later start, or runs there now
  std::string reason;  // why it refuses
  WitnessMark mark;    // of this node
  consensus::Configuration configuration;  // in force at the end of its log
  Term last_term;                          // where that end is
  LogIndex last_index;
};

namespace start_check {

// ---- inputs ----

// Once, first. `position`: of the own stores; `configuration`: in force at its end.
struct Begin {
  LogPosition position;
  consensus::Configuration configuration;
  std::set<std::string> join;  // addresses given at this start
};
// The process at `address` answered. `own` is the position of the own stores, read after the answer
// came.
struct Answered {
  std::string address;
  Greeting greeting;
  LogPosition own;
};
// Nothing came back, or nothing that could be read.
struct Failed {
  std::string address;
};
// A member that starts asks this node: it can be asked now.
struct AskedBy {
  NodeId node;
  std::string address;
};
// The configuration in force has changed.
struct Reconfigured {
  consensus::Configuration configuration;
};
// No leader has been heard of for a while: ask everybody again.
struct LeaderMissing {};
struct Tick {};

}  // namespace start_check

using StartCheckInput = std::variant<start_check::Begin, start_check::Answered, start_check::Failed,
                                     start_check::AskedBy, start_check::Reconfigured,
                                     start_check::LeaderMissing, start_check::Tick>;

struct StartCheckOutput {
  std::vector<std::string> ask;  // these addresses, once each, now
  // This node may take part from now on. Said once.
  bool is_released = false;
  // The disk is older than what this node has shown: it must take part no more. Said once; then
  // nothing else is.
  std::optional<std::string> rolled_back;
  // Members whose configured address does not answer as them, and the --join address that does. The
  // whole list, whenever it changes.
  std::optional<std::map<NodeId, std::string>> moved;
  // Members of the newest configuration that the own one does not hold. The whole list, whenever it
  // changes.
  std::optional<std::map<NodeId, consensus::MemberInfo>> newer_members;
  MonotonicTime next_deadline = absl::InfiniteFuture();
};

class StartCheckCore {
 public:
  explicit StartCheckCore(StartCheckOptions options) : options_(std::move(options)) {}

  [[nodiscard]] StartCheckOutput Step(MonotonicTime now, StartCheckInput input);

  [[nodiscard]] bool is_released() const { return is_released_; }
  // Who has not answered yet, as text for people.
  [[nodiscard]] std::string Missing() const;

 private:
  struct Asked {
    bool is_under_way = false;
    bool is_wanted = true;  // an answer is still of use
    MonotonicTime next;     // ask no earlier
    NodeId answered_as;     // none: never
  };

  void Handle(start_check::Begin begin);
  void Handle(start_check::Answered answered);
  void Handle(const start_check::Failed& failed);
  void Handle(const start_check::AskedBy& asked);
  void Handle(start_check::Reconfigured reconfigured);
  void Handle(const start_check::LeaderMissing& missing);
  void Handle(const start_check::Tick& tick);

  void AddAddresses();
  // Whether what answers there can be the member it says it is.
  [[nodiscard]] bool IsMemberItself(const Greeting& greeting) const;
  void Judge(const start_check::Answered& answered);
  void TakeConfiguration(const start_check::Answered& answered);
  void UpdateMoved();
  void UpdateNewer();
  void MaybeRelease();
  void AskWhoIsDue();
  [[nodiscard]] bool HaveAllAnswered() const;
  [[nodiscard]] absl::Duration Pause() const;

  const StartCheckOptions options_;
  MonotonicTime now_ = absl::InfinitePast();
  MonotonicTime begun_ = absl::InfinitePast();
  bool is_begun_ = false;
  bool is_released_ = false;
  bool is_rolled_back_ = false;
  std::set<std::string> join_;
  consensus::Configuration own_configuration_;
  // The newest that was named, by this node's log or an answer, and where the log that names it
  // ends.
  consensus::Configuration newest_;
  std::pair<Term, LogIndex> newest_end_;
  std::map<std::string, Asked> asked_;
  std::map<NodeId, std::string> moved_;
  std::map<NodeId, consensus::MemberInfo> newer_members_;
  StartCheckOutput out_;
};

}  // namespace dfs::replicated_log

#endif  // DFS_SERVER_REPLICATED_LOG_START_CHECK_CORE_H_
