// What this machine can do at best, measured in the same run as the file system: the denominators of the ratios.
#ifndef DFS_TESTS_BENCH_RAW_LIMITS_H_
#define DFS_TESTS_BENCH_RAW_LIMITS_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "proto/raw_method.h"
#include "tests/support/child_process.h"

#include "dfs/v1/files.pb.h"

namespace dfs::bench {

// Three threads write `content` to a new file each in `folder` (1 MiB writes, sync_file_range every 8 MiB) and
// fdatasync it. The time until the last is durable. The files are removed.
absl::Duration ThreeDurableCopies(const std::string& folder, std::string_view content);

// One append of 4 KiB and fdatasync; the median of `count` of them.
absl::Duration AppendAndSync(const std::string& folder, int count);

// One server-streaming call between two processes over loopback, with the messages, slices and channel settings of
// the file system, but no file behind it and no checksums.
class RawStream {
 public:
  // Starts the serving process: this program, with --serve-raw-stream.
  RawStream();
  // The time to receive `bytes`.
  absl::Duration Receive(std::uint64_t bytes);

 private:
  testing::TemporaryFolder folder_;
  testing::ChildProcess server_;
  std::shared_ptr<grpc::Channel> channel_;
};

// The serving process: writes its port to `port_file` and serves until it is killed.
[[noreturn]] void ServeRawStream(const std::string& port_file);

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_RAW_LIMITS_H_
