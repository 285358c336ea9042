// The records of the chunk index on disk, as bytes. Pure. README.md has the layout.
#ifndef DFS_SERVER_CHUNK_INDEX_FORMAT_H_
#define DFS_SERVER_CHUNK_INDEX_FORMAT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "common/ids.h"

namespace dfs::chunk {

// What the index says of one chunk.
struct ChunkRecord {
  ObjectId object;
  std::uint64_t size = 0;
  Hash128 hash;
  std::int64_t trashed_us = 0;  // when it was put into the trash (wall time); 0: it is not there
  bool operator==(const ChunkRecord&) const = default;
};

enum class ObjectKind : std::uint8_t {
  kFile = 1,   // bytes in a file
  kSmall = 2,  // bytes in the index itself
};

// Stored bytes. Immutable but for the count and the damage.
struct ObjectRecord {
  ObjectKind kind = ObjectKind::kFile;
  bool is_damaged = false;
  std::uint32_t references = 0;  // chunk records that name it; at 0 it goes
  std::uint64_t size = 0;
  Hash128 hash;
  std::vector<std::uint32_t> table;  // CRC32C of each 64 KiB block
  bool operator==(const ObjectRecord&) const = default;
};

// Keys sort as the ids do.
inline constexpr std::size_t kChunkKeyBytes = 20;
inline constexpr std::size_t kObjectKeyBytes = 8;
std::string EncodeKey(const TxnId& id);
std::string EncodeKey(const ChunkId& id);
std::string EncodeKey(ObjectId id);
std::optional<ChunkId> DecodeChunkKey(std::string_view bytes);
std::optional<ObjectId> DecodeObjectKey(std::string_view bytes);

std::string Encode(const ChunkRecord& record);
std::string Encode(const ObjectRecord& record);
// nullopt for anything but what Encode writes, including a table that does not fit size and hash.
std::optional<ChunkRecord> DecodeChunkRecord(std::string_view bytes);
std::optional<ObjectRecord> DecodeObjectRecord(std::string_view bytes);

// Microseconds of wall time.
std::string EncodeTime(std::int64_t time_us);
std::optional<std::int64_t> DecodeTime(std::string_view bytes);

// The first kHeaderBytes of an object's file.
inline constexpr std::size_t kHeaderBytes = 4096;
struct FileHeader {
  ObjectId object;
  ChunkId birth;  // the chunk that was written; others may refer to the object later
  bool operator==(const FileHeader&) const = default;
};
std::string Encode(const FileHeader& header);  // kHeaderBytes long
std::optional<FileHeader> DecodeFileHeader(std::string_view bytes);

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_INDEX_FORMAT_H_
