// Clients as threads of one process, each with a client library object of its own.
#ifndef DFS_TESTS_BENCH_CLIENT_LOAD_H_
#define DFS_TESTS_BENCH_CLIENT_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "client/file_client.h"
#include "proto/data_message.h"
#include "tests/bench/report.h"

namespace dfs::bench {

struct LoadResult {
  Samples samples;             // operations that worked
  int errors = 0;
  std::string first_error;
  absl::Duration elapsed;      // of the whole phase
  [[nodiscard]] double PerSecond() const;
};

class ClientLoad {
 public:
  ClientLoad(const std::vector<std::string>& endpoints, int clients);

  // Each client puts new files of `size` bytes, one after another, `count` of them or until `limit` has passed,
  // whichever comes first (at least one). Names are never used twice.
  LoadResult Put(std::uint64_t size, int count, absl::Duration limit);
  // Each client gets files that Put of this object made with that size, in turn.
  LoadResult Get(std::uint64_t size, int count, absl::Duration limit);

 private:
  template <class Operation>
  LoadResult Run(int count, absl::Duration limit, Operation operation);

  std::vector<std::unique_ptr<client::FileClient>> clients_;
  // Names by client.
  std::vector<std::vector<std::pair<std::uint64_t, std::string>>> names_;
};

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_CLIENT_LOAD_H_
