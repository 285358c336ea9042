// One node: builds everything bottom-up, stops it top-down.
#ifndef DFS_SERVER_NODE_NODE_H_
#define DFS_SERVER_NODE_NODE_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/node/config.h"
#include "server/node/join.h"

namespace dfs::node {

class Node {
 public:
  // Opens the data directory, forms or joins a cluster if it belongs to none, and serves. Blocks until the node is a
  // member (while no --join address answers it tries again, and says so in the log).
  // kInvalidArgument: the configuration does not fit the data directory; kFailedPrecondition: refused by the cluster;
  // kDataLoss: the data directory is damaged; kUnavailable: an address is in use.
  // `interrupted`: asked while it waits.
  static absl::StatusOr<std::unique_ptr<Node>> Start(const Config& config,
                                                     const Interrupted& interrupted);
  ~Node();  // Stop()

  // Hands leadership over if it leads, answers what is under way (5 s at most), closes the stores.
  void Stop();
  // The disk failed or the state differs from that of the others: the process should end with an error.
  [[nodiscard]] bool has_failed() const;
  // It failed because its disk is full: worth a new start once there is space (disk_space.h).
  [[nodiscard]] bool was_full() const;
  // The data directory must be set aside (rule R3), or the chunk index made anew: ordered, the next Start carries it out. The
  // process should start a node anew, which finds the others through these.
  [[nodiscard]] bool begins_anew() const;
  [[nodiscard]] std::vector<std::string> KnownAddresses() const;

 private:
  class Impl;
  explicit Node(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_NODE_H_
