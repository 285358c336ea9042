#include "common/checksum.h"

#include <isa-l/crc.h>
#define XXH_STATIC_LINKING_ONLY  // for a state on the stack
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include <glog/logging.h>

namespace dfs {
namespace {

// CRC32C's polynomial, bit-reversed.
constexpr std::uint32_t kPolynomial = 0x82F63B78u;

// a(x) * b(x) modulo the polynomial, both bit-reversed (bit 31 is x^0).
constexpr std::uint32_t Multiply(std::uint32_t a, std::uint32_t b) {
  std::uint32_t product = 0;
  for (std::uint32_t bit = 0x80000000u; bit != 0; bit >>= 1) {
    if ((a & bit) != 0) product ^= b;
    b = (b & 1u) != 0 ? (b >> 1) ^ kPolynomial : b >> 1;
  }
  return product;
}

// kPowers[k] = x^(8 * 2^k): what one step over 2^k bytes multiplies by.
constexpr std::array<std::uint32_t, 64> MakePowers() {
  std::array<std::uint32_t, 64> powers{};
  std::uint32_t power = 0x80000000u >> 8;  // x^8
  for (auto& entry : powers) {
    entry = power;
    power = Multiply(power, power);
  }
  return powers;
}
constexpr std::array<std::uint32_t, 64> kPowers = MakePowers();

std::uint32_t ShiftOver(std::uint64_t bytes) {
  std::uint32_t factor = 0x80000000u;  // x^0
  for (std::size_t k = 0; bytes != 0; bytes >>= 1, ++k) {
    if ((bytes & 1u) != 0) factor = Multiply(factor, kPowers[k]);
  }
  return factor;
}

}  // namespace

std::uint32_t ExtendCrc32c(std::uint32_t crc, const void* data, std::size_t bytes) {
  constexpr std::size_t kPieceMax = std::size_t{1} << 30;  // ISA-L takes an int
  auto* p = static_cast<unsigned char*>(const_cast<void*>(data));  // ISA-L only reads it
  while (bytes > 0) {
    const std::size_t piece = std::min(bytes, kPieceMax);
    crc = ~crc32_iscsi(p, static_cast<int>(piece), ~crc);
    p += piece;
    bytes -= piece;
  }
  return crc;
}

std::uint32_t Crc32c(const void* data, std::size_t bytes) { return ExtendCrc32c(0, data, bytes); }

std::uint32_t CombineCrc32c(std::uint32_t crc_a, std::uint32_t crc_b, std::uint64_t bytes_b) {
  // Blocks are the usual case: remember the factor for one.
  static const std::uint32_t block_factor = ShiftOver(BlockChecksums::kBlockBytes);
  const std::uint32_t factor =
      bytes_b == BlockChecksums::kBlockBytes ? block_factor : ShiftOver(bytes_b);
  return Multiply(factor, crc_a) ^ crc_b;
}

Hash128 Xxh3(const void* data, std::size_t bytes) {
  const XXH128_hash_t hash = XXH3_128bits(data, bytes);
  return {hash.high64, hash.low64};
}

struct Xxh3Stream::State {
  XXH3_state_t* xxh = XXH3_createState();
  State() {
    CHECK(xxh != nullptr);
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
};

Xxh3Stream::Xxh3Stream() : state_(std::make_unique<State>()) {}
Xxh3Stream::~Xxh3Stream() = default;
Xxh3Stream::Xxh3Stream(Xxh3Stream&&) noexcept = default;
Xxh3Stream& Xxh3Stream::operator=(Xxh3Stream&&) noexcept = default;

void Xxh3Stream::Update(const void* data, std::size_t bytes) {
  XXH3_128bits_update(state_->xxh, data, bytes);
}

Hash128 Xxh3Stream::Digest() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return {hash.high64, hash.low64};
}

void BlockChecksums::Update(const void* data, std::size_t bytes) { UpdateAndCrc(data, bytes); }

std::uint32_t BlockChecksums::UpdateAndCrc(const void* data, std::size_t bytes) {
  const auto* p = static_cast<const unsigned char*>(data);
  std::uint32_t crc = 0;
  while (bytes > 0) {
    const std::size_t filled = length_ % kBlockBytes;
    const std::size_t piece = std::min(bytes, kBlockBytes - filled);
    const std::uint32_t piece_crc = Crc32c(p, piece);
    block_crc_ = filled == 0 ? piece_crc : CombineCrc32c(block_crc_, piece_crc, piece);
    crc = p == data ? piece_crc : CombineCrc32c(crc, piece_crc, piece);
    length_ += piece;
    p += piece;
    bytes -= piece;
    if (filled + piece == kBlockBytes) {
      full_blocks_.push_back(block_crc_);
      full_crc_ = CombineCrc32c(full_crc_, block_crc_, kBlockBytes);
      block_crc_ = 0;
    }
  }
  return crc;
}

std::vector<std::uint32_t> BlockChecksums::Table() const {
  std::vector<std::uint32_t> table = full_blocks_;
  if (length_ % kBlockBytes != 0) table.push_back(block_crc_);
  return table;
}

std::uint32_t BlockChecksums::Crc() const {
  return CombineCrc32c(full_crc_, block_crc_, length_ % kBlockBytes);
}

Hash128 BlockChecksums::HashOf(std::uint64_t length, std::span<const std::uint32_t> table) {
  static_assert(std::endian::native == std::endian::little, "the stored form is little endian");
  XXH3_state_t state;
  XXH3_128bits_reset(&state);
  XXH3_128bits_update(&state, &length, sizeof(length));
  XXH3_128bits_update(&state, table.data(), table.size_bytes());
  const XXH128_hash_t hash = XXH3_128bits_digest(&state);
  return {hash.high64, hash.low64};
}

std::uint32_t BlockChecksums::CrcOf(std::span<const std::uint32_t> table, std::uint64_t offset,
                                    std::uint64_t length) {
  std::uint32_t crc = 0;
  for (auto block = static_cast<std::size_t>(offset / kBlockBytes); length > 0; ++block) {
    const std::uint64_t bytes = std::min<std::uint64_t>(length, kBlockBytes);
    crc = CombineCrc32c(crc, table[block], bytes);
    length -= bytes;
  }
  return crc;
}

std::size_t BlockChecksums::BlockCount(std::uint64_t length) {
  return static_cast<std::size_t>((length + kBlockBytes - 1) / kBlockBytes);
}

}  // namespace dfs
