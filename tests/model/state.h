// One state of the model: the log's applied state, the leader's memory, the nodes' disks, and
// everything on its way.
//
// Bytes only and no padding, so that two states are equal if and only if their bytes are.
#ifndef DFS_TESTS_MODEL_STATE_H_
#define DFS_TESTS_MODEL_STATE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace dfs::model {

using Small = std::uint8_t;

inline constexpr std::size_t kNodesMax = 3;
inline constexpr std::size_t kTxnsMax = 3;
inline constexpr std::size_t kRequestsMax = 2;
inline constexpr std::size_t kCoordinatorsMax = 2;
inline constexpr std::size_t kLogMax = 3;  // entries proposed and not yet committed

// A node's place in the replica set of a chunk, by the applied state.
enum class Row : Small {
  kNone,
  kMissing,
  kOk,
  kCorrupt,
  kRetired,  // of a node that was replaced, as long as nothing has swept it; its successor of the
             // same number is not in the set
};
// A chunk's way from the coordinator to a node and the word back.
enum class Write : Small { kNone, kSent, kStored, kAcknowledged, kRefused };
// The leader's order for (chunk, node), rule R19.
enum class Order : Small { kNone, kPut, kRepair, kAcknowledged };
// A call of repair to make the copy. Late: its order has ended.
enum class Call : Small { kNone, kOrdered, kMade, kOrderedLate, kMadeLate };
// A node's question about a chunk. What is answered LIVE or PENDING is as if it had not been asked.
enum class Question : Small {
  kNone,
  kConfirmed,  // asked; the leader's read-index round is over
  kHalfRead,   // the leader has read its transactions and orders, and not yet the state machine
  kDead,       // DEAD is on its way to the node
  kExcess,
};

// A chunk (one a transaction) on a node.
struct Copy {
  Row row = Row::kNone;
  bool has_purge_row = false;
  // The node's disk.
  bool is_held = false;
  bool is_trashed = false;
  bool is_lost = false;  // held once, unreadable now
  // The put's own copy.
  Write write = Write::kNone;
  Small write_storage = 0;  // the storage id in its acknowledgement
  bool is_named = false;    // CommitPut names the acknowledgement
  // Repair.
  Order order = Order::kNone;
  Call call = Call::kNone;
  Small call_storage = 0;
  Small replaces = 0;  // node + 1 whose place the copy is to take
  // Collection.
  Question question = Question::kNone;
  Small seen = 0;                          // kHalfRead: what the leader has read so far
  Question late_answer = Question::kNone;  // only where nonces are ignored
  Question old_verdict =
      Question::kNone;  // only where a replaced leader answers without asking anybody
};

enum class AtLeader : Small { kNotOurs, kOpen, kProposed, kClosed };
enum class Version : Small { kNone, kCurrent, kTrashed, kPurged };

struct Txn {
  Small term = 0;  // 0: not given yet
  Small coordinator = 0;
  Small from = 0;  // transaction + 1 whose bytes are relinked; 0: written by the put itself
  AtLeader at_leader = AtLeader::kNotOurs;
  bool is_commit_sent = false;      // CommitPut may reach a leader from now on, any number of times
  bool is_told_to_rebegin = false;  // the answer REBEGIN is on its way, or there
  Version version = Version::kNone;
  Small trashed = 0;        // how often; stands for the index at which it was trashed
  Small purge_planned = 0;  // the leader has seen the version in the trash as of this count
};

enum class Phase : Small {
  kIdle,
  kWriting,
  kCommitting,
  kBeginningAgain,
  kRelinking,
  kEnded,
  kCrashed
};

struct Coordinator {
  Phase phase = Phase::kIdle;
  Small txn = 0;
  bool is_heard = false;  // its client still waits for it
};

enum class Result : Small { kNone, kDone, kDidNotHappen };
enum class Told : Small { kNothing, kSuccess, kFailure, kUnknown };

// One put of a client: one (session, sequence).
struct Request {
  Result stored = Result::kNone;
  Told told = Told::kNothing;
  bool is_settling = false;
  Small commits = 0;  // versions that it has made
};

enum class EntryKind : Small {
  kNone,
  kCommitPut,
  kSettle,
  kChangeReplica,
  kRemove,
  kPurge,
  kUndelete,
  kUnlinked,
  kReplace,
  kRetireStep,
  kMark,
};

struct Entry {
  EntryKind kind = EntryKind::kNone;
  Small txn = 0;
  Small node = 0;      // kChangeReplica, kUnlinked, kReplace
  Small storage = 0;   // kChangeReplica: of the acknowledgement
  Small replaces = 0;  // kChangeReplica: node + 1
  bool is_damage = false;
  Small trashed = 0;  // kPurge
  Small request = 0;  // kCommitPut, kSettle
  bool is_foreign =
      false;  // proposed by a leader of an earlier term: the present one does not know of it
};

// What must never be, as found in the step that did it.
enum class Violation : Small {
  kNone,
  kTooFewCopies,
  kCommittedTwice,
  kResurrected,
  kPurgedTooEarly,
  kLastCopyDeleted,
  kDamagedCounts,
  kResultChanged,
};

struct State {
  Small term = 1;
  std::array<Txn, kTxnsMax> txns{};
  std::array<std::array<Copy, kNodesMax>, kTxnsMax> copies{};
  std::array<Coordinator, kCoordinatorsMax> coordinators{};
  std::array<Request, kRequestsMax> requests{};
  Small log_size = 0;
  std::array<Entry, kLogMax> log{};
  Entry delayed;  // left the leader of an earlier term and is not in any log yet
  // A wiped disk has another storage id; the node table learns of it by an entry.
  std::array<Small, kNodesMax> disk_storage{};
  std::array<Small, kNodesMax> table_storage{};
  // Nodes that are OUT (or drain, or leave): their good copies may be replaced.
  std::array<bool, kNodesMax> is_out{};
  // What may still happen.
  Small damages_left = 0;
  Small wipes_left = 0;
  Small removes_left = 0;
  Small undeletes_left = 0;
  Small marks_left = 0;  // OUT, and back
  Violation violation = Violation::kNone;
};
static_assert(std::has_unique_object_representations_v<State>,
              "padding would make equal states differ");

}  // namespace dfs::model

#endif  // DFS_TESTS_MODEL_STATE_H_
