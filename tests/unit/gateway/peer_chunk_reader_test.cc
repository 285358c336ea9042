#include "server/gateway/peer_chunk_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <span>
#include <string>

#include "tests/unit/coordinator/fake_nodes.h"

namespace dfs::gateway {
namespace {

using ::testing::ElementsAre;

constexpr std::size_t kMiB = std::size_t{1} << 20;

class PeerChunkReaderTest : public ::testing::Test {
 protected:
  // What nodes 2 to 4 hold.
  chunk::ChunkInfo Hold(const std::string& bytes) {
    chunk::ChunkInfo info;
    for (const std::uint32_t node : {2u, 3u, 4u}) {
      info = nodes_.peers.stores[node].Put(ChunkId{{Term(1), 1}, 0}, bytes, std::nullopt).value();
    }
    return info;
  }
  std::string Read(const PeerChunkReader& reader, std::uint64_t offset) {
    std::string out(kMiB, 'x');
    const absl::Status read = reader.Read(offset, std::span(out));
    EXPECT_TRUE(read.ok()) << read;
    return out;
  }

  coordinator::FakeNodes nodes_;
};

// A source that is down costs a call to it, and maybe its time, each time it is asked.
TEST_F(PeerChunkReaderTest, WhoGaveTheBytesLastIsAskedFirst) {
  const std::string bytes = coordinator::TestBytes(4 * kMiB, 1);
  const PeerChunkReader reader(&nodes_.peers, Hold(bytes), {NodeId(2), NodeId(3), NodeId(4)});
  nodes_.peers.down = {2, 3};
  EXPECT_EQ(Read(reader, 0), bytes.substr(0, kMiB));
  EXPECT_EQ(Read(reader, kMiB), bytes.substr(kMiB, kMiB));
  EXPECT_THAT(nodes_.peers.read_from, ElementsAre(2u, 3u, 4u, 4u));
  nodes_.peers.down = {4};
  EXPECT_EQ(Read(reader, 2 * kMiB), bytes.substr(2 * kMiB, kMiB));
  EXPECT_EQ(Read(reader, 3 * kMiB), bytes.substr(3 * kMiB, kMiB));
  EXPECT_THAT(nodes_.peers.read_from, ElementsAre(2u, 3u, 4u, 4u, 4u, 2u, 2u)) << "all have a turn";
}

TEST_F(PeerChunkReaderTest, WithoutAnySourceItSaysWhatEachSaid) {
  const PeerChunkReader reader(&nodes_.peers, Hold(coordinator::TestBytes(kMiB, 1)), {NodeId(2), NodeId(3)});
  nodes_.peers.down = {2, 3, 4};
  std::string out(10, 'x');
  const absl::Status read = reader.Read(0, std::span(out));
  EXPECT_EQ(read.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(read.message().find("node 3: down"), absl::string_view::npos) << read;
}

}  // namespace
}  // namespace dfs::gateway
