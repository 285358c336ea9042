#include "common/rocksdb_manifest_tail.h"

#include <algorithm>
#include <cstdint>

#include "common/checksum.h"
#include "common/rocksdb_numbers.h"

namespace dfs {
namespace {

// RocksDB's log format: blocks of 32 KiB; records of checksum (4, masked CRC32C of type and payload),
// length (2), type (1), payload; no record header in the last 6 bytes of a block.
constexpr std::size_t kBlockBytes = 32'768;
constexpr std::size_t kHeaderBytes = 7;
constexpr std::size_t kSectorBytes = 512;
// Types: a whole record, or the first, a middle and the last piece of one.
constexpr unsigned char kFullType = 1;
constexpr unsigned char kFirstType = 2;
constexpr unsigned char kLastType = 4;

// Bytes of the whole record at `at`; 0 if it is damaged or cut short.
std::size_t RecordAt(std::string_view data, std::size_t at) {
  if (at + kHeaderBytes > data.size()) return 0;
  const auto length = static_cast<std::size_t>(RocksdbNumber(data, at + 4, 2));
  const auto type = static_cast<unsigned char>(data[at + 6]);
  const std::size_t bytes = kHeaderBytes + length;
  if (type == 0 || type > kLastType || at + bytes > data.size() ||
      at % kBlockBytes + bytes > kBlockBytes) {
    return 0;
  }
  const auto expected = static_cast<std::uint32_t>(RocksdbNumber(data, at, 4));
  return RocksdbMasked(Crc32c(data.data() + at + 6, length + 1)) == expected ? bytes : 0;
}

}  // namespace

std::size_t WholeLogBytes(std::string_view log) {
  std::size_t at = 0;
  while (at < log.size()) {
    const std::size_t left = kBlockBytes - at % kBlockBytes;
    const std::size_t bytes = left < kHeaderBytes ? left : RecordAt(log, at);
    if (bytes == 0) break;
    at += bytes;
  }
  return std::min(at, log.size());
}

std::optional<std::size_t> FindZeroedTail(std::string_view manifest) {
  const std::size_t at = WholeLogBytes(manifest);
  if (at >= manifest.size()) return std::nullopt;
  const std::size_t last_set = manifest.find_last_not_of('\0');
  const std::size_t zeros = last_set == std::string_view::npos ? 0 : last_set + 1;
  if (zeros == manifest.size()) return std::nullopt;
  // The damaged record must reach into the zeros.
  const std::size_t claimed =
      at + kHeaderBytes > zeros
          ? at + kHeaderBytes
          : at + kHeaderBytes + static_cast<std::size_t>(RocksdbNumber(manifest, at + 4, 2));
  if (claimed <= zeros) return std::nullopt;
  // A disk loses sectors, not bytes: the zeros begin with the record, or with a sector in it. Else a synced record has rotted.
  const std::size_t first_sector = (std::max(zeros, at + 1) + kSectorBytes - 1) / kSectorBytes * kSectorBytes;
  if (zeros > at && first_sector >= manifest.size()) return std::nullopt;
  return at;
}

std::vector<std::string> WholeLogRecords(std::string_view log) {
  std::vector<std::string> out;
  std::optional<std::string> begun;  // pieces of a record without a gap so far
  std::size_t at = 0;
  while (at + kHeaderBytes <= log.size()) {
    const std::size_t left = kBlockBytes - at % kBlockBytes;
    if (left < kHeaderBytes) {
      at += left;
      continue;
    }
    const std::size_t bytes = RecordAt(log, at);
    if (bytes == 0) {
      begun.reset();
      // Its length may be right all the same: then a whole record follows.
      const std::size_t next = at + kHeaderBytes + static_cast<std::size_t>(RocksdbNumber(log, at + 4, 2));
      const bool is_right = next < at + left && RecordAt(log, next) != 0;
      at = is_right ? next : at + left;
      continue;
    }
    const auto type = static_cast<unsigned char>(log[at + 6]);
    const std::string_view payload = log.substr(at + kHeaderBytes, bytes - kHeaderBytes);
    at += bytes;
    if (type == kFullType || type == kFirstType) {
      begun = std::string(payload);
    } else if (begun) {
      begun->append(payload);
    }
    if ((type == kFullType || type == kLastType) && begun) {
      out.push_back(*std::move(begun));
      begun.reset();
    }
  }
  return out;
}

}  // namespace dfs
