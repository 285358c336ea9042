// Clients that put, overwrite, remove and read a few files while a test breaks things; all they are told is recorded.
#ifndef DFS_TESTS_SUPPORT_HISTORY_LOAD_H_
#define DFS_TESTS_SUPPORT_HISTORY_LOAD_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "client/file_client.h"
#include "common/executor.h"
#include "common/random.h"
#include "common/sync.h"
#include "tests/support/client_history.h"
#include "tests/support/process_cluster.h"

namespace dfs::testing {

// Two kinds of clients:
//
//   wandering  the client library, with its retries, each beginning at another node: all operations
//   pinned     one for each node, which asks that node alone, by calls of its own, and asks again whatever happens:
//              reads only. It is the one that a node meets first when it wakes up from a pause, or before it
//              has heard that it leads no more.
//
// Half of the operations go to a tenth of the files, so that operations on one file overlap.
class HistoryLoad {
 public:
  struct Options {
    std::uint64_t seed = 1;
    int clients = 20;
    int names = 50;
    bool has_pinned = true;
    // Of the reads at one node: anything but STRONG lets a node answer what it does not know to be old.
    v1::Consistency pinned_reads = v1::STRONG;
    // Most contents are of some hundred bytes; one in 32 has up to so many, which do not lie in RocksDB any more.
    std::size_t big_bytes = std::size_t{600} << 10;
  };

  // The nodes are those started so far. Both outlive this object.
  HistoryLoad(const std::shared_ptr<ClientHistory>& history, ProcessCluster& cluster, const Options& options);
  ~HistoryLoad();  // Stop()
  HistoryLoad(const HistoryLoad&) = delete;
  HistoryLoad& operator=(const HistoryLoad&) = delete;

  // Waits until the history has `operations` more. kUnavailable after `timeout`.
  [[nodiscard]] absl::Status AwaitOperations(std::uint64_t operations, absl::Duration timeout);
  // Lets the running operations end. Idempotent.
  void Stop();

  // Waits until so many more puts are done. kUnavailable after `timeout`.
  [[nodiscard]] absl::Status AwaitPuts(std::uint64_t puts, absl::Duration timeout);
  // After Stop: one read (kGet or kStat) of each file at each of the nodes, as consistent as `pinned_reads` says, into the
  // history. All must answer.
  [[nodiscard]] absl::Status ReadAll(const std::vector<int>& nodes,
                                     ClientHistory::Action action = ClientHistory::Action::kGet);

 private:
  void Wander(int number);
  void StayAt(int number, int node);
  [[nodiscard]] absl::Status Await(std::uint64_t ClientHistory::Counts::*count, std::uint64_t more,
                                   const std::string& what, absl::Duration timeout);
  // One get or stat, as consistent as `pinned_reads` says, by a call to that node alone. Whether it was answered.
  bool ReadAt(int number, const std::shared_ptr<grpc::Channel>& channel, const std::string& name,
              ClientHistory::Action action);
  void Put(client::FileClient& client, int number, const std::string& name, Random& random);
  void Get(client::FileClient& client, int number, const std::string& name);
  void Stat(client::FileClient& client, int number, const std::string& name);
  void Remove(client::FileClient& client, int number, const std::string& name);
  [[nodiscard]] std::string ChooseName(Random& random) const;

  const std::shared_ptr<ClientHistory> history_;
  ProcessCluster& cluster_;
  const Options options_;
  const std::vector<std::string> endpoints_;
  Event stopping_;
  ThreadPool threads_;  // last: its threads use the rest
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_HISTORY_LOAD_H_
