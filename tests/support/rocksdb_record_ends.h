// Where files in RocksDB's log format (logs, MANIFESTs) can be cut so that they are whole by every checksum.
#ifndef DFS_TESTS_SUPPORT_ROCKSDB_RECORD_ENDS_H_
#define DFS_TESTS_SUPPORT_ROCKSDB_RECORD_ENDS_H_

#include <cstddef>
#include <string_view>
#include <vector>

namespace dfs::testing {

// The offset behind each physical record of `log`, which is whole: the last one is its size. A block has 32 KiB and is filled
// up with zeros where no header, of 7 bytes, would fit.
inline std::vector<std::size_t> RecordEnds(std::string_view log) {
  constexpr std::size_t kBlock = 32'768;
  constexpr std::size_t kHeader = 7;
  std::vector<std::size_t> ends;
  for (std::size_t at = 0; at + kHeader <= log.size();) {
    if (kBlock - at % kBlock < kHeader) {
      at += kBlock - at % kBlock;
      continue;
    }
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(log[at + i]); };
    at += kHeader + byte(4) + std::size_t{256} * byte(5);
    ends.push_back(at);
  }
  return ends;
}

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_ROCKSDB_RECORD_ENDS_H_
