#include "server/chunk/index_format.h"

#include <concepts>

#include "common/checksum.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {
namespace {

constexpr std::uint8_t kFormat = 1;
constexpr std::string_view kMagic = "DFSCHUNK";

template <std::unsigned_integral T>
void Put(T value, std::string& out) {  // big endian, so that keys sort
  for (std::size_t shift = 8 * sizeof(T); shift > 0; shift -= 8) {
    out.push_back(static_cast<char>((value >> (shift - 8)) & 0xFF));
  }
}
void Put(const Hash128& hash, std::string& out) {
  Put(hash.high, out);
  Put(hash.low, out);
}
void Put(const ChunkId& id, std::string& out) {
  Put(id.txn.term.value(), out);
  Put(id.txn.sequence, out);
  Put(id.index, out);
}

// Takes fields off the front; after the first that is missing, every one is 0 and ok() is false.
class Fields {
 public:
  explicit Fields(std::string_view bytes) : bytes_(bytes) {}

  template <std::unsigned_integral T>
  T Take() {
    if (bytes_.size() < sizeof(T)) {
      is_ok_ = false;
      return 0;
    }
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < sizeof(T); ++i) {
      value = (value << 8) | static_cast<unsigned char>(bytes_[i]);
    }
    bytes_.remove_prefix(sizeof(T));
    return static_cast<T>(value);
  }
  Hash128 TakeHash() {
    const auto high = Take<std::uint64_t>();
    return {high, Take<std::uint64_t>()};
  }
  ChunkId TakeChunkId() {
    const Term term(Take<std::uint64_t>());
    const auto sequence = Take<std::uint64_t>();
    return {{term, sequence}, Take<std::uint32_t>()};
  }
  [[nodiscard]] bool ok() const { return is_ok_; }
  [[nodiscard]] std::size_t left() const { return bytes_.size(); }
  [[nodiscard]] bool is_whole() const { return is_ok_ && bytes_.empty(); }

 private:
  std::string_view bytes_;
  bool is_ok_ = true;
};

}  // namespace

std::string EncodeKey(const TxnId& id) {
  std::string out;
  Put(id.term.value(), out);
  Put(id.sequence, out);
  return out;
}
std::string EncodeKey(const ChunkId& id) {
  std::string out;
  Put(id, out);
  return out;
}
std::string EncodeKey(ObjectId id) {
  std::string out;
  Put(id.value(), out);
  return out;
}
std::optional<ChunkId> DecodeChunkKey(std::string_view bytes) {
  Fields fields(bytes);
  const ChunkId id = fields.TakeChunkId();
  if (!fields.is_whole()) return std::nullopt;
  return id;
}
std::optional<ObjectId> DecodeObjectKey(std::string_view bytes) {
  Fields fields(bytes);
  const ObjectId id(fields.Take<std::uint64_t>());
  if (!fields.is_whole()) return std::nullopt;
  return id;
}

std::string Encode(const ChunkRecord& record) {
  std::string out;
  Put(kFormat, out);
  Put(record.object.value(), out);
  Put(record.size, out);
  Put(record.hash, out);
  Put(static_cast<std::uint64_t>(record.trashed_us), out);
  return out;
}
std::optional<ChunkRecord> DecodeChunkRecord(std::string_view bytes) {
  Fields fields(bytes);
  if (fields.Take<std::uint8_t>() != kFormat) return std::nullopt;
  ChunkRecord out;
  out.object = ObjectId(fields.Take<std::uint64_t>());
  out.size = fields.Take<std::uint64_t>();
  out.hash = fields.TakeHash();
  out.trashed_us = static_cast<std::int64_t>(fields.Take<std::uint64_t>());
  if (!fields.is_whole() || out.size > kChunkBytesMax) return std::nullopt;
  return out;
}

std::string Encode(const ObjectRecord& record) {
  std::string out;
  Put(kFormat, out);
  Put(static_cast<std::uint8_t>(record.kind), out);
  Put(static_cast<std::uint8_t>(record.is_damaged ? 1 : 0), out);
  Put(record.references, out);
  Put(record.size, out);
  Put(record.hash, out);
  for (const std::uint32_t crc : record.table) Put(crc, out);
  return out;
}
std::optional<ObjectRecord> DecodeObjectRecord(std::string_view bytes) {
  Fields fields(bytes);
  if (fields.Take<std::uint8_t>() != kFormat) return std::nullopt;
  ObjectRecord out;
  const auto kind = fields.Take<std::uint8_t>();
  if (kind != 1 && kind != 2) return std::nullopt;
  out.kind = static_cast<ObjectKind>(kind);
  out.is_damaged = fields.Take<std::uint8_t>() != 0;
  out.references = fields.Take<std::uint32_t>();
  out.size = fields.Take<std::uint64_t>();
  out.hash = fields.TakeHash();
  if (!fields.ok() || out.size > kChunkBytesMax) return std::nullopt;
  const std::size_t blocks = BlockChecksums::BlockCount(out.size);
  if (fields.left() != blocks * sizeof(std::uint32_t)) return std::nullopt;
  out.table.reserve(blocks);
  for (std::size_t i = 0; i < blocks; ++i) out.table.push_back(fields.Take<std::uint32_t>());
  if (BlockChecksums::HashOf(out.size, out.table) != out.hash) return std::nullopt;
  return out;
}

std::string EncodeTime(std::int64_t time_us) {
  std::string out;
  Put(static_cast<std::uint64_t>(time_us), out);
  return out;
}
std::optional<std::int64_t> DecodeTime(std::string_view bytes) {
  Fields fields(bytes);
  const auto time_us = static_cast<std::int64_t>(fields.Take<std::uint64_t>());
  if (!fields.is_whole()) return std::nullopt;
  return time_us;
}

std::string Encode(const FileHeader& header) {
  std::string out(kMagic);
  Put(kFormat, out);
  Put(header.object.value(), out);
  Put(header.birth, out);
  Put(Crc32c(out.data(), out.size()), out);
  out.resize(kHeaderBytes, '\0');
  return out;
}
std::optional<FileHeader> DecodeFileHeader(std::string_view bytes) {
  if (bytes.size() != kHeaderBytes || bytes.substr(0, kMagic.size()) != kMagic) return std::nullopt;
  Fields fields(bytes.substr(kMagic.size()));
  if (fields.Take<std::uint8_t>() != kFormat) return std::nullopt;
  FileHeader out;
  out.object = ObjectId(fields.Take<std::uint64_t>());
  out.birth = fields.TakeChunkId();
  const std::size_t covered = bytes.size() - fields.left();
  if (fields.Take<std::uint32_t>() != Crc32c(bytes.data(), covered)) return std::nullopt;
  return out;
}

}  // namespace dfs::chunk
