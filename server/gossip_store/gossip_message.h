// What nodes say to each other about gossip buckets (README.md, "Messages"). Pure data.
#ifndef DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_H_
#define DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "server/gossip_store/gossip_record.h"
#include "server/gossip_store/inclusion.h"
#include "server/gossip_store/record_table.h"

namespace dfs::gossip_store {

// Bounds of one message; what exceeds them on the wire is refused.
inline constexpr std::size_t kRumoursMax = 64;
inline constexpr std::size_t kRowsMax = 16;
inline constexpr std::size_t kInnerAskedMax = 16;
inline constexpr std::size_t kLeavesAskedMax = 64;
// Records of one answer, beyond which no further leaf is begun.
inline constexpr std::size_t kRecordsWanted = 256;

// News, passed on once by each node to which it is news.
struct Rumours {
  std::vector<Record> records;
};
// The asking node wants all that the other has. All later messages carry the number.
struct SyncBegin {
  std::uint64_t round = 0;
  Hash128 root;
  std::vector<InclusionRow> rows;  // the sender's own first
};
struct SyncState {
  std::uint64_t round = 0;
  HybridTime as_of;                // by the sender's clock: whatever follows is at least as new
  bool is_complete = false;        // the sender itself has once taken over a whole state
  LogIndex members_index;          // the sender's members are those as of that entry, or later
  std::vector<InclusionRow> rows;  // the sender's own first
  std::vector<Hash128> inner;      // of all inner nodes; empty if the roots are equal
};
struct AskLeaves {
  std::uint64_t round = 0;
  std::vector<InnerNumber> inner;
};
struct Leaves {
  std::uint64_t round = 0;
  std::vector<InnerNumber> inner;
  std::vector<Hash128> digests;    // kLeavesPerInner for each of them
};
struct AskRecords {
  std::uint64_t round = 0;
  std::vector<LeafNumber> leaves;
};
struct LeafRecords {
  std::uint64_t round = 0;
  std::vector<LeafNumber> leaves;  // those that are answered, each with all its records; at least one
  std::vector<Record> records;
};
using MessageBody =
    std::variant<Rumours, SyncBegin, SyncState, AskLeaves, Leaves, AskRecords, LeafRecords>;

struct Message {
  NodeId from;
  NodeId to;
  absl::Time wall;  // the sender's clock when it was sent
  MessageBody body;
};

}  // namespace dfs::gossip_store

#endif  // DFS_SERVER_GOSSIP_STORE_GOSSIP_MESSAGE_H_
