// Numbers as RocksDB writes them into its files (util/coding.h, util/crc32c.h). Pure.
#ifndef DFS_COMMON_ROCKSDB_NUMBERS_H_
#define DFS_COMMON_ROCKSDB_NUMBERS_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace dfs {

// Little-endian, of up to 8 bytes, all of which `data` has.
inline std::uint64_t RocksdbNumber(std::string_view data, std::size_t at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes; i-- > 0;) {
    value = (value << 8) | static_cast<unsigned char>(data[at + i]);
  }
  return value;
}

// A checksum beside the bytes that it is of: masked, because these may hold checksums themselves.
inline std::uint32_t RocksdbMasked(std::uint32_t crc) { return ((crc >> 15) | (crc << 17)) + 0xa282ead8u; }

}  // namespace dfs

#endif  // DFS_COMMON_ROCKSDB_NUMBERS_H_
