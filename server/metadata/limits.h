// Limits of the state machine. All are part of apply (rule R8): equal on every node, and changed
// only together with the format.
#ifndef DFS_SERVER_METADATA_LIMITS_H_
#define DFS_SERVER_METADATA_LIMITS_H_

#include <cstddef>
#include <cstdint>

#include "common/ids.h"

namespace dfs::metadata {

// One entry changes at most so many rows: a write batch stays small and apply never stalls the log.
inline constexpr std::size_t kRowsPerEntryMax = 1'000;
// Of these, what every entry may need beside its own rows: counters, settings, a pending clear.
inline constexpr std::size_t kRowsReserved = 8;

// Made with the cluster, and never removed.
inline constexpr BucketId kDefaultBucket{1};

inline constexpr std::size_t kNameBytesMax = 1'024;
inline constexpr std::size_t kLabelBytesMax = 256;         // names, zones, addresses of nodes
inline constexpr std::size_t kWriterBytesMax = 128;        // what a writer calls itself
inline constexpr int kChunksPerVersionMax = 4'096;         // 256 GiB; a row of at most about 0.4 MB
inline constexpr int kReplicaChangesMax = 1'000;           // in one command
inline constexpr std::size_t kBucketsMax = 1'000;          // their rows are in memory, and one answer lists them
inline constexpr std::uint32_t kReplicasMax = 7;
inline constexpr std::uint32_t kAllMembersMax = 16;        // copies in a bucket that wants one on every member
// With 4 rows to trash each, both names of a move and 256 forgotten results fit one entry.
inline constexpr std::uint32_t kVersionsKeptMax = 64;
inline constexpr std::uint32_t kConflictWindowMax = 86'400;  // seconds
inline constexpr std::uint64_t kOpenResultsMax = 256;      // of a session
inline constexpr std::uint32_t kClearStepFilesMax = 240;   // 4 rows each
inline constexpr std::size_t kPendingClearsMax = 64;       // each costs every look-up a comparison
inline constexpr std::uint64_t kClearCountMax = 1'000'000;  // files that one ClearPrefix reads
inline constexpr std::size_t kExpireScanMax = 10'000;      // sessions that one ExpireSessions reads
inline constexpr std::size_t kRetireScanMax = 2'000;        // versions that one RetireStep reads
inline constexpr std::uint64_t kCheckpointInterval = 1'000;  // entries

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_LIMITS_H_
