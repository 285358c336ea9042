// Keys of the rows: a disk format, described in README.md ("Rows"). Pure.
//
// A key is one letter for the table, then integers in big-endian order, then at most one name, so
// that rows of a table sort by their numbers and then by the bytes of the name.
#ifndef DFS_SERVER_METADATA_ROW_KEYS_H_
#define DFS_SERVER_METADATA_ROW_KEYS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/ids.h"

namespace dfs::metadata {

inline constexpr char kAppliedTable = 'A';
inline constexpr char kBucketTable = 'B';
inline constexpr char kBucketNameTable = 'b';
inline constexpr char kCountersTable = 'C';
inline constexpr char kSettingsTable = 'E';
inline constexpr char kDirectoryTable = 'd';  // of storage-only nodes: directory_rows.h
inline constexpr char kTrashedNameTable = 'D';
inline constexpr char kFileTable = 'F';
inline constexpr char kClusterTable = 'G';
inline constexpr char kBucketCountsTable = 'K';
inline constexpr char kReleasedTable = 'L';
inline constexpr char kNodeTable = 'N';
inline constexpr char kNodeUuidTable = 'n';
inline constexpr char kOldVersionTable = 'O';
inline constexpr char kPurgeTable = 'P';
inline constexpr char kClearTable = 'Q';
inline constexpr char kResultTable = 'R';
inline constexpr char kSessionTable = 'S';
inline constexpr char kTrashTable = 'T';
inline constexpr char kIncompleteTable = 'U';
inline constexpr char kTxnTable = 'X';

void AppendBigEndian32(std::string* out, std::uint32_t value);
void AppendBigEndian64(std::string* out, std::uint64_t value);
// The integer at `offset`; the caller knows that there are enough bytes.
std::uint32_t ReadBigEndian32(std::string_view bytes, std::size_t offset);
std::uint64_t ReadBigEndian64(std::string_view bytes, std::size_t offset);

std::string TableKey(char table);  // first (or only) key of a table
std::string BucketKey(BucketId id);
std::string BucketNameKey(std::string_view name);
std::string FileKey(BucketId bucket, std::string_view name);
std::string TxnKey(const TxnId& txn);
std::string TrashKey(LogIndex trashed, const TxnId& txn);
// Trashed versions of a name, the newest first: names have no zero byte, and the number is written inverted.
std::string TrashedNameKey(BucketId bucket, std::string_view name, std::uint64_t number);
std::string TrashedNameKey(BucketId bucket, std::string_view name);  // what those of the name begin with
std::string TrashedNamesKey(BucketId bucket, std::string_view prefix);  // what those of names so begun begin with
// Older versions of a name that are kept, newest first.
std::string OldVersionKey(BucketId bucket, std::string_view name, std::uint64_t number);
std::string OldVersionKey(BucketId bucket, std::string_view name);  // what those of the name begin with
std::string BucketCountsKey(BucketId id);
std::string IncompleteKey(const TxnId& txn);
std::string PurgeKey(NodeId node, const TxnId& txn);
std::string PurgeKey(NodeId node);  // first of the node's
std::string ReleasedKey(NodeId node, const TxnId& txn);
std::string ReleasedKey(NodeId node);  // first of the node's
std::string NodeKey(NodeId id);
std::string NodeUuidKey(const StorageUuid& uuid);
std::string SessionKey(const SessionId& session);
std::string ResultKey(const SessionId& session, std::uint64_t sequence);
std::string ClearKey(LogIndex index);

// The least key that is greater than every key beginning with `prefix`; empty if there is none.
std::string EndOfPrefix(std::string_view prefix);
// The txn that ends the key, or the value.
TxnId TxnAtEnd(std::string_view key);
std::string EncodeTxn(const TxnId& txn);

// Where a version is: a current one by its name, an older one that is kept by name and number, a trashed one by the
// entry that trashed it.
struct VersionPlace {
  LogIndex trashed;  // none: current or kept
  BucketId bucket;   // of a current or kept one
  std::string name;
  std::uint64_t old_number = 0;  // not 0: kept
};
std::string EncodePlace(const VersionPlace& place);
std::optional<VersionPlace> DecodePlace(std::string_view value);

// The one row that says how far the log is applied.
struct AppliedRow {
  LogIndex index;
  std::uint64_t log_time_us = 0;
  Hash128 hash;
};
std::string EncodeApplied(const AppliedRow& row);
std::optional<AppliedRow> DecodeApplied(std::string_view value);

}  // namespace dfs::metadata

#endif  // DFS_SERVER_METADATA_ROW_KEYS_H_
