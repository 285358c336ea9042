// What the flags mean to the parts of a node. Pure.
#ifndef DFS_SERVER_NODE_PART_OPTIONS_H_
#define DFS_SERVER_NODE_PART_OPTIONS_H_

#include <string>
#include <vector>

#include "server/chunk/scrub_core.h"
#include "server/leader/chunk_collector.h"
#include "server/leader/term_state.h"
#include "server/node/config.h"

namespace dfs::node {

// Of --join, which may name this node itself.
inline std::vector<std::string> OthersToJoin(const Config& config) {
  std::vector<std::string> others = config.join;
  std::erase(others, config.peer_listen);
  return others;
}

inline leader::LeaderOptions LeaderOptionsOf(const Config& config) {
  leader::LeaderOptions options;
  options.trash_time = config.trash_time;
  options.trash_time_min = config.trash_time_min;
  options.purge_quiet = config.purge_quiet;
  options.out_after = config.out_after;
  options.rebalance_slack_bytes = config.rebalance_slack;
  return options;
}

inline leader::CollectorOptions CollectorOptionsOf(const Config& config) {
  leader::CollectorOptions options;
  options.question_age = config.question_age;
  options.trash_time = config.chunk_trash_time;
  options.interval = config.collect_every;
  options.fuse_bytes_min = config.fuse_bytes_min;
  return options;
}

inline chunk::ScrubOptions ScrubOptionsOf(const Config& config) {
  chunk::ScrubOptions options;
  options.period = config.scrub_period;
  options.bytes_per_second_max = config.scrub_rate;
  options.busy_bytes_per_second_max = config.scrub_rate / 16;
  return options;
}

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_PART_OPTIONS_H_
