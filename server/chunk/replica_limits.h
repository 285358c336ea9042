// Limits of the contract between nodes (proto/dfs/internal/v1/replica.proto), for both sides.
#ifndef DFS_SERVER_CHUNK_REPLICA_LIMITS_H_
#define DFS_SERVER_CHUNK_REPLICA_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace dfs::chunk {

inline constexpr std::size_t kWriteBytesMax = std::size_t{2} << 20;   // of one WriteChunkRequest
inline constexpr std::size_t kReadBytes = std::size_t{1} << 20;       // of one ReadChunkResponse
// Of one ReadChunkResponse that is sent at a limited rate: small, so that others get the processor and the disk in between.
inline constexpr std::size_t kPacedReadBytes = std::size_t{256} << 10;
inline constexpr std::uint64_t kPacedBytesPerSecondMin = 1'000'000;
inline constexpr std::size_t kSmallBatchMax = 256;                    // chunks of one WriteSmall
inline constexpr std::size_t kSmallBatchBytes = std::size_t{4} << 20;
inline constexpr std::size_t kConfirmBatchMax = 256;                  // items of one Confirm
inline constexpr std::size_t kListPage = 1000;                        // of one ListChunksResponse

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_REPLICA_LIMITS_H_
