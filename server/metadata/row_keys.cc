#include "server/metadata/row_keys.h"

namespace dfs::metadata {
namespace {

void AppendTxn(std::string* out, const TxnId& txn) {
  AppendBigEndian64(out, txn.term.value());
  AppendBigEndian64(out, txn.sequence);
}

constexpr std::size_t kTxnBytes = 16;
constexpr char kPlaceCurrent = 'F';
constexpr char kPlaceOld = 'O';
constexpr char kPlaceTrashed = 'T';

}  // namespace

void AppendBigEndian32(std::string* out, std::uint32_t value) {
  for (int shift = 24; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

void AppendBigEndian64(std::string* out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out->push_back(static_cast<char>(value >> shift));
}

std::uint32_t ReadBigEndian32(std::string_view bytes, std::size_t offset) {
  std::uint32_t value = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    value = (value << 8) | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}

std::uint64_t ReadBigEndian64(std::string_view bytes, std::size_t offset) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) {
    value = (value << 8) | static_cast<unsigned char>(bytes[offset + i]);
  }
  return value;
}

std::string TableKey(char table) { return std::string(1, table); }

std::string BucketKey(BucketId id) {
  std::string key = TableKey(kBucketTable);
  AppendBigEndian64(&key, id.value());
  return key;
}

std::string BucketNameKey(std::string_view name) {
  return TableKey(kBucketNameTable).append(name);
}

std::string FileKey(BucketId bucket, std::string_view name) {
  std::string key = TableKey(kFileTable);
  AppendBigEndian64(&key, bucket.value());
  return key.append(name);
}

std::string TxnKey(const TxnId& txn) {
  std::string key = TableKey(kTxnTable);
  AppendTxn(&key, txn);
  return key;
}

std::string TrashKey(LogIndex trashed, const TxnId& txn) {
  std::string key = TableKey(kTrashTable);
  AppendBigEndian64(&key, trashed.value());
  AppendTxn(&key, txn);
  return key;
}

std::string TrashedNamesKey(BucketId bucket, std::string_view prefix) {
  std::string key = TableKey(kTrashedNameTable);
  AppendBigEndian64(&key, bucket.value());
  return key.append(prefix);
}

std::string TrashedNameKey(BucketId bucket, std::string_view name) {
  return TrashedNamesKey(bucket, name).append(1, '\0');
}

std::string TrashedNameKey(BucketId bucket, std::string_view name, std::uint64_t number) {
  std::string key = TrashedNameKey(bucket, name);
  AppendBigEndian64(&key, ~number);
  return key;
}

std::string OldVersionKey(BucketId bucket, std::string_view name) {
  std::string key = TableKey(kOldVersionTable);
  AppendBigEndian64(&key, bucket.value());
  return key.append(name).append(1, '\0');
}

std::string OldVersionKey(BucketId bucket, std::string_view name, std::uint64_t number) {
  std::string key = OldVersionKey(bucket, name);
  AppendBigEndian64(&key, ~number);
  return key;
}

std::string BucketCountsKey(BucketId id) {
  std::string key = TableKey(kBucketCountsTable);
  AppendBigEndian64(&key, id.value());
  return key;
}

std::string IncompleteKey(const TxnId& txn) {
  std::string key = TableKey(kIncompleteTable);
  AppendTxn(&key, txn);
  return key;
}

std::string PurgeKey(NodeId node) {
  std::string key = TableKey(kPurgeTable);
  AppendBigEndian32(&key, node.value());
  return key;
}

std::string PurgeKey(NodeId node, const TxnId& txn) {
  std::string key = PurgeKey(node);
  AppendTxn(&key, txn);
  return key;
}

std::string ReleasedKey(NodeId node) {
  std::string key = TableKey(kReleasedTable);
  AppendBigEndian32(&key, node.value());
  return key;
}

std::string ReleasedKey(NodeId node, const TxnId& txn) {
  std::string key = ReleasedKey(node);
  AppendTxn(&key, txn);
  return key;
}

std::string NodeKey(NodeId id) {
  std::string key = TableKey(kNodeTable);
  AppendBigEndian32(&key, id.value());
  return key;
}

std::string NodeUuidKey(const StorageUuid& uuid) {
  std::string key = TableKey(kNodeUuidTable);
  AppendBigEndian64(&key, uuid.high);
  AppendBigEndian64(&key, uuid.low);
  return key;
}

std::string SessionKey(const SessionId& session) {
  std::string key = TableKey(kSessionTable);
  AppendBigEndian64(&key, session.high);
  AppendBigEndian64(&key, session.low);
  return key;
}

std::string ResultKey(const SessionId& session, std::uint64_t sequence) {
  std::string key = TableKey(kResultTable);
  AppendBigEndian64(&key, session.high);
  AppendBigEndian64(&key, session.low);
  AppendBigEndian64(&key, sequence);
  return key;
}

std::string ClearKey(LogIndex index) {
  std::string key = TableKey(kClearTable);
  AppendBigEndian64(&key, index.value());
  return key;
}

std::string EndOfPrefix(std::string_view prefix) {
  std::string end(prefix);
  while (!end.empty() && static_cast<unsigned char>(end.back()) == 0xFF) end.pop_back();
  if (!end.empty()) end.back() = static_cast<char>(static_cast<unsigned char>(end.back()) + 1);
  return end;
}

TxnId TxnAtEnd(std::string_view key) {
  const std::size_t offset = key.size() - kTxnBytes;
  return {Term(ReadBigEndian64(key, offset)), ReadBigEndian64(key, offset + 8)};
}

std::string EncodeTxn(const TxnId& txn) {
  std::string value;
  AppendTxn(&value, txn);
  return value;
}

std::string EncodePlace(const VersionPlace& place) {
  std::string value;
  if (place.trashed.is_none()) {
    value.push_back(place.old_number == 0 ? kPlaceCurrent : kPlaceOld);
    AppendBigEndian64(&value, place.bucket.value());
    if (place.old_number != 0) AppendBigEndian64(&value, place.old_number);
    return value.append(place.name);
  }
  value.push_back(kPlaceTrashed);
  AppendBigEndian64(&value, place.trashed.value());
  return value;
}

std::optional<VersionPlace> DecodePlace(std::string_view value) {
  if (value.size() < 9) return std::nullopt;
  VersionPlace place;
  if (value[0] == kPlaceCurrent) {
    place.bucket = BucketId(ReadBigEndian64(value, 1));
    place.name = std::string(value.substr(9));
    return place;
  }
  if (value[0] == kPlaceOld) {
    if (value.size() < 17) return std::nullopt;
    place.bucket = BucketId(ReadBigEndian64(value, 1));
    place.old_number = ReadBigEndian64(value, 9);
    place.name = std::string(value.substr(17));
    return place;
  }
  if (value[0] != kPlaceTrashed || value.size() != 9) return std::nullopt;
  place.trashed = LogIndex(ReadBigEndian64(value, 1));
  return place;
}

std::string EncodeApplied(const AppliedRow& row) {
  std::string value;
  AppendBigEndian64(&value, row.index.value());
  AppendBigEndian64(&value, row.log_time_us);
  AppendBigEndian64(&value, row.hash.high);
  AppendBigEndian64(&value, row.hash.low);
  return value;
}

std::optional<AppliedRow> DecodeApplied(std::string_view value) {
  if (value.size() != 32) return std::nullopt;
  AppliedRow row;
  row.index = LogIndex(ReadBigEndian64(value, 0));
  row.log_time_us = ReadBigEndian64(value, 8);
  row.hash = {ReadBigEndian64(value, 16), ReadBigEndian64(value, 24)};
  return row;
}

}  // namespace dfs::metadata
