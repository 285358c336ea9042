// Strong types for every identity and counter of the system (README.md, "Identities").
//
// All are small values: copyable, ordered, hashable, printable. Zero means "none" in each of
// them, unless a comment says otherwise.
#ifndef DFS_COMMON_IDS_H_
#define DFS_COMMON_IDS_H_

#include <compare>
#include <cstdint>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

namespace dfs {

template <class Tag, class Rep>
class StrongId {
 public:
  using rep = Rep;
  constexpr StrongId() = default;
  constexpr explicit StrongId(Rep value) : value_(value) {}
  [[nodiscard]] constexpr Rep value() const { return value_; }
  [[nodiscard]] constexpr bool is_none() const { return value_ == Rep{}; }
  [[nodiscard]] constexpr StrongId Next() const { return StrongId(static_cast<Rep>(value_ + 1)); }
  // clang-tidy 14 takes the 0 of a defaulted comparison for a null pointer.
  constexpr auto operator<=>(const StrongId&) const = default;  // NOLINT(modernize-use-nullptr)
  template <class H>
  friend H AbslHashValue(H h, StrongId id) {
    return H::combine(std::move(h), id.value_);
  }
  friend std::ostream& operator<<(std::ostream& os, StrongId id) { return os << +id.value_; }

 private:
  Rep value_{};
};

// A member of the cluster: given by the log, never used twice.
using NodeId = StrongId<struct NodeIdTag, std::uint32_t>;
// Raft epoch. Term 0 comes before the first election.
using Term = StrongId<struct TermTag, std::uint64_t>;
// Slot in the replicated log. The first entry has index 1.
using LogIndex = StrongId<struct LogIndexTag, std::uint64_t>;
// A bucket; never used twice. Bucket 1 is `default`.
using BucketId = StrongId<struct BucketIdTag, std::uint64_t>;
// Version of a file: a counter of the state machine, +1 for each change of any file.
using VersionNumber = StrongId<struct VersionNumberTag, std::uint64_t>;
// Counts the starts of one data directory; synced before the node says anything.
using BootEpoch = StrongId<struct BootEpochTag, std::uint64_t>;
// Random at each start of a process.
using RunId = StrongId<struct RunIdTag, std::uint64_t>;
// The stored bytes of a chunk on one node; a counter of that node's chunk store.
using ObjectId = StrongId<struct ObjectIdTag, std::uint64_t>;

// 128 random bits. Printed as 32 hexadecimal digits.
template <class Tag>
struct Uuid {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  [[nodiscard]] constexpr bool is_none() const { return high == 0 && low == 0; }
  constexpr auto operator<=>(const Uuid&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const Uuid& id) {
    return H::combine(std::move(h), id.high, id.low);
  }
};
using ClusterId = Uuid<struct ClusterIdTag>;    // made when the cluster is formed
using StorageUuid = Uuid<struct StorageTag>;    // made and synced with the data directory
using SessionId = Uuid<struct SessionIdTag>;    // made by a client

// 32 lower-case hexadecimal digits.
std::string HexOf(std::uint64_t high, std::uint64_t low);
// Reads what HexOf writes; nullopt for anything else.
std::optional<std::pair<std::uint64_t, std::uint64_t>> ParseHex128(std::string_view text);

template <class Tag>
std::string ToString(const Uuid<Tag>& id) {
  return HexOf(id.high, id.low);
}
template <class Tag>
std::ostream& operator<<(std::ostream& os, const Uuid<Tag>& id) {
  return os << ToString(id);
}
template <class Id>
std::optional<Id> ParseUuid(std::string_view text) {
  const auto bits = ParseHex128(text);
  if (!bits) return std::nullopt;
  return Id{bits->first, bits->second};
}

// A put in progress: the leader of `term` numbers its transactions from 1.
struct TxnId {
  Term term;
  std::uint64_t sequence = 0;
  [[nodiscard]] constexpr bool is_none() const { return term.is_none() && sequence == 0; }
  constexpr auto operator<=>(const TxnId&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const TxnId& id) {
    return H::combine(std::move(h), id.term, id.sequence);
  }
  friend std::ostream& operator<<(std::ostream& os, const TxnId& id) {
    return os << id.term << "." << id.sequence;
  }
};

// The `index`-th piece (from 0) of the file that the transaction stores. Immutable bytes.
struct ChunkId {
  TxnId txn;
  std::uint32_t index = 0;
  constexpr auto operator<=>(const ChunkId&) const = default;
  template <class H>
  friend H AbslHashValue(H h, const ChunkId& id) {
    return H::combine(std::move(h), id.txn, id.index);
  }
  friend std::ostream& operator<<(std::ostream& os, const ChunkId& id) {
    return os << id.txn << "/" << id.index;
  }
};

// XXH3-128 over (length, table of block checksums): what the log records of a chunk (rule R21).
struct Hash128 {
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  constexpr auto operator<=>(const Hash128&) const = default;
};
inline std::string ToString(const Hash128& h) { return HexOf(h.high, h.low); }
inline std::ostream& operator<<(std::ostream& os, const Hash128& h) { return os << ToString(h); }

std::string ToString(const TxnId& id);
std::string ToString(const ChunkId& id);

}  // namespace dfs

#endif  // DFS_COMMON_IDS_H_
