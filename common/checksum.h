// CRC32C (Castagnoli; RFC 3720 appendix B.4) by ISA-L, and XXH3-128.
#ifndef DFS_COMMON_CHECKSUM_H_
#define DFS_COMMON_CHECKSUM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "common/ids.h"

namespace dfs {

// CRC32C of "123456789" is 0xE3069283; of nothing, 0.
std::uint32_t Crc32c(const void* data, std::size_t bytes);
// The CRC32C of A followed by `data`, where `crc` is that of A.
std::uint32_t ExtendCrc32c(std::uint32_t crc, const void* data, std::size_t bytes);
// The CRC32C of A followed by B, from that of A, that of B, and B's length. O(log length).
// (Multiplication by x^(8 length) modulo the polynomial, as zlib's crc32_combine does it.)
std::uint32_t CombineCrc32c(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t bytes_b);

Hash128 Xxh3(const void* data, std::size_t bytes);

// XXH3-128 over a stream of pieces. Not thread-safe.
class Xxh3Stream {
 public:
  Xxh3Stream();
  ~Xxh3Stream();
  Xxh3Stream(Xxh3Stream&&) noexcept;
  Xxh3Stream& operator=(Xxh3Stream&&) noexcept;
  void Update(const void* data, std::size_t bytes);
  [[nodiscard]] Hash128 Digest() const;  // of everything so far; Update may follow

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Checksums of a chunk, block by block, while its bytes come past in pieces of any size.
//
// The hash of a chunk is XXH3-128 over its length (8 bytes, little endian) followed by the table
// of the CRC32C of each 64 KiB block (4 bytes each, little endian; the last block may be
// shorter): rule R21. A chunk of 0 bytes has an empty table.
//
// Not thread-safe.
class BlockChecksums {
 public:
  static constexpr std::size_t kBlockBytes = std::size_t{64} << 10;

  void Update(const void* data, std::size_t bytes);
  // The same, and returns the CRC32C of `data` itself, without reading it twice.
  std::uint32_t UpdateAndCrc(const void* data, std::size_t bytes);

  [[nodiscard]] std::uint64_t length() const { return length_; }
  // The table, with the CRC of a last block that is not full.
  [[nodiscard]] std::vector<std::uint32_t> Table() const;
  // CRC32C of everything so far.
  [[nodiscard]] std::uint32_t Crc() const;

  static Hash128 HashOf(std::uint64_t length, std::span<const std::uint32_t> table);
  // CRC32C of `length` bytes from the beginning of a block on, by the table of their chunk. They end where a block or
  // the chunk does.
  static std::uint32_t CrcOf(std::span<const std::uint32_t> table, std::uint64_t offset,
                             std::uint64_t length);
  // Number of blocks of a chunk of that length.
  static std::size_t BlockCount(std::uint64_t length);

 private:
  std::uint64_t length_ = 0;
  std::vector<std::uint32_t> full_blocks_;
  std::uint32_t full_crc_ = 0;   // CRC32C of all full blocks
  std::uint32_t block_crc_ = 0;  // of the block that is being filled
};

}  // namespace dfs

#endif  // DFS_COMMON_CHECKSUM_H_
