// How numbers, times and tables look, and how they are read. Pure.
#ifndef DFS_CLIENT_CLI_TEXT_H_
#define DFS_CLIENT_CLI_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dfs/v1/cluster.pb.h"
#include "dfs/v1/types.pb.h"

namespace dfs::client::cli {

// "1234", or "1.205 KiB" if `is_human`. Binary units.
std::string FormatBytes(std::uint64_t bytes, bool is_human);
// ISO 8601, UTC, to the second: "2026-11-21T04:11:32Z".
std::string FormatTime(std::uint64_t micros);
// Of a file of a gossip bucket "  consistency=eventual", else nothing.
std::string FormatFreshness(const v1::FileInfo& file);
// "2/3".
std::string FormatHealth(const v1::FileInfo& file);
// 8 hexadecimal digits.
std::string FormatCrc(std::uint32_t crc);
std::string FormatHex(std::string_view bytes);
std::string NameOf(v1::ReplicaState state);
std::string NameOf(v1::Health health);

// "64K", "1MiB", "1G", "100MB" (decimal only with a B and without an i), "12".
absl::StatusOr<std::uint64_t> ParseBytes(std::string_view text);
// "30s", "500ms", "2m"; a number alone is seconds. Greater than zero.
absl::StatusOr<absl::Duration> ParseTimeout(const std::string& text);

struct ByteRange {
  std::uint64_t offset = 0;
  std::optional<std::uint64_t> length;
};
// "a-b" (both included, from 0) or "a-" (to the end).
absl::StatusOr<ByteRange> ParseRange(std::string_view text);
// "strong", "leader", "eventual".
absl::StatusOr<v1::Consistency> ParseConsistency(std::string_view text);

// The last component of a path.
std::string BaseName(std::string_view path);
// The word of `words` that `typed` was probably meant to be; empty if none is near.
std::string NearestWord(std::string_view typed, const std::vector<std::string>& words);

// Rows with columns aligned; numbers (`>` in `alignment`) to the right. One line a row.
std::string FormatTable(const std::vector<std::vector<std::string>>& rows,
                        std::string_view alignment);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_TEXT_H_
