// Clients of the HTTP door, as threads of one process.
#ifndef DFS_TESTS_BENCH_HTTP_LOAD_H_
#define DFS_TESTS_BENCH_HTTP_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/load.h"
#include "tests/support/http_client.h"

namespace dfs::bench {

// Each client has one connection and keeps it. They take the addresses in turn.
class HttpLoad {
 public:
  HttpLoad(const std::vector<std::string>& addresses, int clients);

  // The clients put new files of `size` bytes, each one after another, `count` in all or until `limit` has passed.
  client::LoadResult Put(std::uint64_t size, std::uint64_t count, absl::Duration limit);
  // The same with gets of files that Put of this object made with that size, in turn.
  client::LoadResult Get(std::uint64_t size, std::uint64_t count, absl::Duration limit);

 private:
  std::vector<std::unique_ptr<testing::HttpClient>> clients_;
  std::vector<std::vector<std::string>> names_;  // by client; of the size that was put last
};

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_HTTP_LOAD_H_
