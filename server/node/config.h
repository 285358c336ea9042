// What a node is told when it starts: flags, environment, configuration file.
#ifndef DFS_SERVER_NODE_CONFIG_H_
#define DFS_SERVER_NODE_CONFIG_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "common/tls_identity.h"
#include "common/wire_ids.h"
#include "dfs/internal/v1/metadata.pb.h"

namespace dfs::node {

struct Config {
  std::string data_dir;
  std::string listen;        // for clients, host:port
  std::string peer_listen;   // for other nodes, host:port
  std::string http_listen;   // for clients that speak HTTP, host:port; empty: none
  std::uint64_t http_upload_limit = std::uint64_t{1} << 30;  // bytes of a form sent by HTTP: fewer than this
  std::string unix_socket;   // where clients of this machine take over open files; empty: nowhere
  bool unix_socket_own_user = false;  // those of this process's own user, too
  bool bootstrap = false;
  std::vector<std::string> join;  // peer addresses of members
  std::string zone;
  std::string name;          // empty: "node<id>" is shown
  bool insecure = false;
  TlsFiles tls_files;              // all three or none
  std::optional<TlsIdentity> tls;  // what LoadTls found in them; without it everything is in plaintext
  std::optional<rpc::NodeRole> role;  // absent: as the data directory joined; a new one: ORDINARY
  bool recover_as_voter = false;  // rule R6: the only voter is lost for good
  std::optional<int> log_verbosity;  // 1: each operation of a client with its times; absent: glog's own (GLOG_v)
  std::optional<int> log_level;      // of glog: nothing below it is written; absent: glog's own (GLOG_minloglevel)

  // The long waits, settable for tests.
  absl::Duration trash_time = absl::Hours(24);        // removed files are kept so long (undelete); the leader's counts
  absl::Duration trash_time_min = absl::Minutes(10);  // the same while a disk is nearly full
  absl::Duration chunk_trash_time = absl::Minutes(10);  // what no file needs any more is kept so long by its node
  absl::Duration question_age = absl::Minutes(10);    // a transaction must be untouched so long before its chunks are asked about
  absl::Duration purge_quiet = absl::Minutes(10);     // a new leader purges nothing for so long
  absl::Duration resume_window = absl::Minutes(1);    // an interrupted put with a resume_token is kept for so long
  absl::Duration collect_every = absl::Minutes(1);    // a node looks for garbage so often
  absl::Duration scrub_period = absl::Hours(24 * 7);  // every stored block is read and checked at least so often
  std::uint64_t scrub_rate = std::uint64_t{64} << 20;  // bytes a second that scrubbing reads at most
  std::uint64_t fuse_bytes_min = std::uint64_t{1} << 30;  // a pass of collection that deletes less is never stopped (rule R20)
  // No copies are moved between nodes while none lacks more than so many bytes.
  std::uint64_t rebalance_slack = std::uint64_t{16} << 20;
  absl::Duration gossip_every = absl::Seconds(1);  // a node compares its gossip buckets with those of another so often
  absl::Duration gossip_tombstone_age = absl::Minutes(1);  // names removed from gossip buckets are remembered at least so long
  bool allow_test_faults = false;
  std::uint32_t test_drop_percent = 0;  // of the messages to other nodes that are lost on purpose; needs allow_test_faults
  absl::Duration test_clock_offset;     // the clock on the wall is so far ahead on purpose; the same
  absl::Duration out_after = absl::Minutes(2);        // a node dead for so long becomes OUT: its copies are made anew elsewhere
};

// Reads flags, else DFS_… variables, else --config (common/flag_sources.h). Prints help and version itself:
// then `exit_code` is set and there is nothing more to do.
struct ParsedConfig {
  Config config;
  int exit_code = -1;  // not -1: exit with it at once
};
ParsedConfig ParseConfig(int argc, char** argv);

// Fills in what gateways and storage nodes need not be told: addresses on loopback with ports that are free now, and for a
// gateway with an HTTP port a data directory (made, below XDG_STATE_HOME or ~/.local/state). kInvalidArgument: it cannot.
absl::Status CompleteConfig(Config* config);

// What can be wrong with a configuration whatever the data directory holds. kInvalidArgument says what to do.
absl::Status CheckConfig(const Config& config);

// Reads --tls-cert, --tls-key and --tls-ca into `tls`, if they are given. kInvalidArgument, kUnauthenticated: a sentence.
absl::Status LoadTls(Config* config);

// Whether "host:port" names this machine only (127.0.0.0/8, ::1, localhost).
bool IsLoopback(const std::string& address);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_CONFIG_H_
