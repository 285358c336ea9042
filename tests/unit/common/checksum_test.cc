#include "common/checksum.h"

#include <gtest/gtest.h>

#include <string>

#include "common/random.h"

namespace dfs {
namespace {

std::string RandomBytes(std::size_t size, std::uint64_t seed) {
  Random random(seed);
  std::string bytes(size, '\0');
  for (char& c : bytes) c = static_cast<char>(random.Next());
  return bytes;
}

TEST(Crc32c, MatchesThePublishedCheckValue) { EXPECT_EQ(Crc32c("123456789", 9), 0xE3069283u); }

TEST(Crc32c, OfNothingIsZero) { EXPECT_EQ(Crc32c("", 0), 0u); }

TEST(Crc32c, ExtendingEqualsTheWhole) {
  const std::string bytes = RandomBytes(100'003, 1);
  for (const std::size_t cut : {0u, 1u, 63u, 64u, 4'096u, 100'002u, 100'003u}) {
    const std::uint32_t head = Crc32c(bytes.data(), cut);
    EXPECT_EQ(ExtendCrc32c(head, bytes.data() + cut, bytes.size() - cut),
              Crc32c(bytes.data(), bytes.size()));
  }
}

TEST(Crc32c, CombiningEqualsTheWhole) {
  const std::string bytes = RandomBytes(300'000, 2);
  for (const std::size_t cut : {0u, 1u, 7u, 65'536u, 131'072u, 234'464u, 299'999u, 300'000u}) {
    const std::size_t rest = bytes.size() - cut;
    EXPECT_EQ(CombineCrc32c(Crc32c(bytes.data(), cut), Crc32c(bytes.data() + cut, rest), rest),
              Crc32c(bytes.data(), bytes.size()))
        << cut;
  }
}

TEST(BlockChecksums, DoNotDependOnHowTheBytesArrive) {
  const std::string bytes = RandomBytes(5 * BlockChecksums::kBlockBytes + 17, 3);
  BlockChecksums whole;
  whole.Update(bytes.data(), bytes.size());
  for (const std::size_t step : {1'000u, 65'535u, 65'536u, 65'537u, 1'000'000u}) {
    BlockChecksums pieces;
    for (std::size_t at = 0; at < bytes.size(); at += step) {
      pieces.Update(bytes.data() + at, std::min(step, bytes.size() - at));
    }
    EXPECT_EQ(pieces.Table(), whole.Table());
    EXPECT_EQ(pieces.Crc(), Crc32c(bytes.data(), bytes.size()));
  }
}

TEST(BlockChecksums, GiveTheCrcOfEachPieceToo) {
  const std::string bytes = RandomBytes(3 * BlockChecksums::kBlockBytes + 17, 6);
  BlockChecksums sums;
  std::size_t at = 0;
  for (const std::size_t piece : {1u, 65'535u, 65'536u, 70'000u, 10u}) {
    EXPECT_EQ(sums.UpdateAndCrc(bytes.data() + at, piece), Crc32c(bytes.data() + at, piece));
    at += piece;
  }
  EXPECT_EQ(sums.Crc(), Crc32c(bytes.data(), at));
}

TEST(BlockChecksums, TableHasTheCrcOfEachBlock) {
  const std::string bytes = RandomBytes(2 * BlockChecksums::kBlockBytes + 1, 4);
  BlockChecksums sums;
  sums.Update(bytes.data(), bytes.size());
  const auto table = sums.Table();
  ASSERT_EQ(table.size(), BlockChecksums::BlockCount(bytes.size()));
  ASSERT_EQ(table.size(), 3u);
  EXPECT_EQ(table[1], Crc32c(bytes.data() + BlockChecksums::kBlockBytes, BlockChecksums::kBlockBytes));
  EXPECT_EQ(table[2], Crc32c(bytes.data() + 2 * BlockChecksums::kBlockBytes, 1));
}

TEST(BlockChecksums, CrcOfBlocksFollowsFromTheirTable) {
  const std::string bytes = RandomBytes(3 * BlockChecksums::kBlockBytes + 9, 7);
  BlockChecksums sums;
  sums.Update(bytes.data(), bytes.size());
  const auto table = sums.Table();
  const std::size_t block = BlockChecksums::kBlockBytes;
  EXPECT_EQ(BlockChecksums::CrcOf(table, 0, bytes.size()), Crc32c(bytes.data(), bytes.size()));
  EXPECT_EQ(BlockChecksums::CrcOf(table, block, 2 * block), Crc32c(bytes.data() + block, 2 * block));
  EXPECT_EQ(BlockChecksums::CrcOf(table, 2 * block, block + 9),
            Crc32c(bytes.data() + 2 * block, block + 9));
  EXPECT_EQ(BlockChecksums::CrcOf(table, 0, 0), 0u);
}

TEST(BlockChecksums, HashDependsOnLengthAndTable) {
  const std::vector<std::uint32_t> table = {1, 2};
  const std::vector<std::uint32_t> other = {1, 3};
  EXPECT_EQ(BlockChecksums::HashOf(70'000, table), BlockChecksums::HashOf(70'000, table));
  EXPECT_NE(BlockChecksums::HashOf(70'000, table), BlockChecksums::HashOf(70'001, table));
  EXPECT_NE(BlockChecksums::HashOf(70'000, table), BlockChecksums::HashOf(70'000, other));
}

TEST(Xxh3Stream, PiecesEqualTheWhole) {
  const std::string bytes = RandomBytes(200'000, 5);
  Xxh3Stream stream;
  stream.Update(bytes.data(), 1);
  stream.Update(bytes.data() + 1, 150'000);
  stream.Update(bytes.data() + 150'001, bytes.size() - 150'001);
  EXPECT_EQ(stream.Digest(), Xxh3(bytes.data(), bytes.size()));
}

}  // namespace
}  // namespace dfs
