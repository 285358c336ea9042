// Clients as threads of one process.
#ifndef DFS_TESTS_BENCH_CLIENT_LOAD_H_
#define DFS_TESTS_BENCH_CLIENT_LOAD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "client/file_client.h"
#include "client/load.h"
#include "proto/data_message.h"

namespace dfs::bench {

class ClientLoad {
 public:
  enum class Connections {
    kShared,  // one object of the client library for all, as it advises: one node takes all requests
    kOwn,     // one each, spread over the nodes: as if they were processes
  };
  ClientLoad(const std::vector<std::string>& endpoints, int clients, Connections connections,
             const client::FileClientOptions& options = {});

  // The clients put new files of `size` bytes, each one after another, `count` times as many as they are or until
  // `limit` has passed, whichever comes first (each at least one). Names are never used twice.
  client::LoadResult Put(std::uint64_t size, int count, absl::Duration limit);
  // The same with gets of files that Put of this object made with that size, in turn.
  client::LoadResult Get(std::uint64_t size, int count, absl::Duration limit);

 private:
  [[nodiscard]] std::uint64_t CountOf(int count) const;

  std::vector<std::shared_ptr<client::FileClient>> clients_;
  // Names by client.
  std::vector<std::vector<std::pair<std::uint64_t, std::string>>> names_;
};

}  // namespace dfs::bench

#endif  // DFS_TESTS_BENCH_CLIENT_LOAD_H_
