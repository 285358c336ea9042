// A cluster of real dfs-server processes on free loopback ports, with their data in a temporary folder.
#ifndef DFS_TESTS_SUPPORT_PROCESS_CLUSTER_H_
#define DFS_TESTS_SUPPORT_PROCESS_CLUSTER_H_

#include <grpcpp/channel.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/file_client.h"
#include "common/certificate_authority.h"
#include "common/grpc_credentials.h"
#include "dfs/v1/cluster.pb.h"
#include "tests/support/child_process.h"

namespace dfs::testing {

// Nodes are numbered from 1; node N is named nN.
//
// Faults return at once unless they say otherwise; what follows from them is waited for with the Wait functions, which
// poll and give up after their timeout (kUnavailable, with what was seen last). Nothing sleeps for a fixed time.
//
// Start and use it on the test's own thread; Status, EndpointOf, Endpoints and the channels also on others.
class ProcessCluster {
 public:
  static constexpr int kNodesMax = 9;
  // Until a started node must be a live member, or a new leader must serve. Generous: the machine may be busy.
  static constexpr absl::Duration kReadyTimeout = absl::Seconds(30);

  struct Options {
    // Further flags for every server, for example "--trash-time=1s".
    std::vector<std::string> flags;
    // What node `n` gets added to its environment, at each start. May be null.
    std::function<Environment(int n)> environment;
    // The zone of node `n`. Null: each node has a zone of its own.
    std::function<std::string(int n)> zone = nullptr;
    // The address of node `n`, without port, where it is not on loopback, and what is put before its command line so that
    // it runs there. May be null.
    std::function<std::string(int n)> host = nullptr;
    std::function<std::vector<std::string>(int n)> runner = nullptr;
    // TLS everywhere: an authority of its own, a certificate for each node that holds for 127.0.0.1, one for the client.
    bool is_tls = false;
  };
  ProcessCluster();
  explicit ProcessCluster(Options options);
  // Kills what runs. If a test has failed, prints the end of each log and keeps the folder.
  ~ProcessCluster();
  ProcessCluster(const ProcessCluster&) = delete;
  ProcessCluster& operator=(const ProcessCluster&) = delete;

  // Starts nodes 1 to `nodes` that do not run, and waits until all are live members and a leader serves.
  [[nodiscard]] absl::Status Up(int nodes);

  // Starts the process of node `n`. The first start of node 1 forms the cluster; all later starts of any
  // node join the others.
  // `more`: flags for this start only.
  void Start(int n, const std::vector<std::string>& more = {});
  // Starts it and waits for its end: a start that must be refused.
  CommandResult StartRefused(int n, const std::vector<std::string>& more = {});
  // From its next start on, node `n` (that does not run) has other ports.
  void Renumber(int n);
  void Kill(int n);       // SIGKILL; returns when the process is gone
  void Pause(int n);      // SIGSTOP
  void Resume(int n);     // SIGCONT
  // SIGTERM; waits for the end. The exit status; kDeadlineExceeded after 20 s.
  absl::StatusOr<int> Terminate(int n);
  // Removes the data of a node that does not run.
  void Wipe(int n);

  // Waits until those nodes are live members in the eyes of all of them, agree on one leader among them, three vote (of
  // fewer than three members, one), and a strong read works at each.
  [[nodiscard]] absl::Status WaitReady(const std::vector<int>& nodes,
                                       absl::Duration timeout = kReadyTimeout);
  // Waits until `is_met` holds of the status that node `n` gives.
  using Condition = std::function<bool(const v1::StatusResponse&)>;
  [[nodiscard]] absl::Status WaitUntil(int n, std::string_view what, const Condition& is_met,
                                       absl::Duration timeout = kReadyTimeout);
  // Waits until those nodes have applied the same change, and none is known that they have not.
  [[nodiscard]] absl::Status WaitCaughtUp(const std::vector<int>& nodes,
                                          absl::Duration timeout = kReadyTimeout);
  // Waits until the current version of every file acknowledged so far has all its copies, as node `n` sees it.
  [[nodiscard]] absl::Status WaitFullyReplicated(int n, absl::Duration timeout = kReadyTimeout);
  // Waits for any condition, polling it every few milliseconds.
  [[nodiscard]] static absl::Status Await(std::string_view what, absl::Duration timeout,
                                          const std::function<bool()>& is_met);

  // The number of the node that leads; waits for one.
  absl::StatusOr<int> Leader();
  // A running node that does not lead.
  absl::StatusOr<int> Follower();

  // One Cluster.Status call, 1 s at most.
  absl::StatusOr<v1::StatusResponse> Status(int n);
  [[nodiscard]] bool IsRunning(int n) const;
  [[nodiscard]] std::vector<int> Running() const;
  // Process ids of the running nodes.
  [[nodiscard]] pid_t PidOf(int n) const;

  [[nodiscard]] std::string EndpointOf(int n) const;      // for clients
  [[nodiscard]] std::string PeerAddressOf(int n) const;
  [[nodiscard]] std::string HttpAddressOf(int n) const;
  [[nodiscard]] std::vector<std::string> Endpoints() const;  // of all nodes started so far
  [[nodiscard]] std::string EndpointList() const;         // the same, separated by commas
  [[nodiscard]] std::shared_ptr<grpc::Channel> ClientChannel(int n);
  [[nodiscard]] std::shared_ptr<grpc::Channel> PeerChannel(int n);
  [[nodiscard]] std::string DataFolder(int n) const;
  [[nodiscard]] std::string LogFile(int n) const;
  [[nodiscard]] const TemporaryFolder& folder() const { return folder_; }
  // For what is no test and so cannot have failed: its folder stays, with the logs and the data.
  void KeepFolder() { folder_.Keep(); }

  // dfs-cli with these arguments against all nodes started so far.
  CommandResult Cli(const std::vector<std::string>& arguments, std::string_view in = {},
                    absl::Duration timeout = absl::Seconds(60)) const;

  // Empty in plaintext. `certificates()` makes others.
  [[nodiscard]] CertificateFolder& certificates() { return certificates_; }
  [[nodiscard]] TlsFiles NodeFiles(int n) const;
  [[nodiscard]] TlsFiles ClientFiles() const;
  // With what a FileClient reaches this cluster.
  [[nodiscard]] client::FileClientOptions ClientOptions() const;
  static std::vector<std::string> FlagsOf(const TlsFiles& files);

  // Where the binaries under test are.
  static std::string ServerBinary();
  static std::string CliBinary();
  static std::string BinaryFolder();
  static std::string SourceFolder();

 private:
  struct Node {
    ChildProcess process;
    bool is_paused = false;
    int first_port = 0;  // for clients; the next ones are for peers and for HTTP
    std::shared_ptr<grpc::Channel> client_channel;
    std::shared_ptr<grpc::Channel> peer_channel;
  };

  Node& At(int n);
  void SetPorts(int n, Node& node, int first_port) const;
  [[nodiscard]] std::string AddressOf(int n, int port) const;
  std::vector<std::string> CommandOf(int n, const std::vector<std::string>& more);
  [[nodiscard]] const Node& At(int n) const;
  bool IsReady(const std::vector<int>& nodes, std::string* seen);

  [[nodiscard]] Dialer DialerWith(const TlsFiles& files, TlsDoor door) const;

  const Options options_;
  TemporaryFolder folder_;
  CertificateFolder certificates_;
  const int port_base_;
  bool is_formed_ = false;
  std::map<int, Node> nodes_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_PROCESS_CLUSTER_H_
