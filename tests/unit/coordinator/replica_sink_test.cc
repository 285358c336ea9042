#include <gtest/gtest.h>

#include "common/checksum.h"
#include "server/coordinator/replica_writer.h"
#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::coordinator {
namespace {

TEST(LocalSink, BytesAreCheckedOnTheirWayToTheOwnDiskToo) {
  testing::MemoryChunkStore store;
  const ChunkId id{TxnId{Term(1), 1}, 0};
  const std::string bytes = TestBytes(100'000, 1);
  const std::uint32_t crc = Crc32c(bytes.data(), bytes.size());
  const auto sink = MakeLocalSink(&store, id, [] { return AckOf(1); });
  EXPECT_TRUE(sink->Write(Slices::CopyOf(bytes), crc).ok());
  EXPECT_EQ(sink->Write(Slices::CopyOf(bytes), crc ^ 1).code(), absl::StatusCode::kDataLoss);
}

}  // namespace
}  // namespace dfs::coordinator
