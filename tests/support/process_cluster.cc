#include "tests/support/process_cluster.h"

#include <arpa/inet.h>
#include <glog/logging.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iostream>
#include <set>
#include <sstream>
#include <utility>

#include "common/clock.h"
#include "common/posix_disk.h"
#include "common/sync.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "dfs/v1/files.grpc.pb.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"

namespace dfs::testing {
namespace {

constexpr absl::Duration kPollEvery = absl::Milliseconds(10);
constexpr absl::Duration kStatusTimeout = absl::Seconds(1);
constexpr absl::Duration kTerminateTimeout = absl::Seconds(20);
constexpr std::size_t kLogTailBytes = 3'000;
constexpr int kPortsPerNode = 3;  // for clients, for peers, for HTTP

bool IsPortFree(int port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  PCHECK(fd >= 0) << "socket";
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool is_free = bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return is_free;
}

// A block of ports for all nodes, below those that the kernel gives to outgoing connections: a node
// that is down keeps its ports. Tests that run at the same time begin to look at different places.
int FindPorts() {
  constexpr int kFirst = 20'000;
  constexpr int kLast = 32'000;
  constexpr int kBlock = 30;
  constexpr int kBlocks = (kLast - kFirst) / kBlock;
  static int next = static_cast<int>(getpid()) % kBlocks;
  for (int tries = 0; tries < kBlocks; ++tries) {
    const int base = kFirst + next * kBlock;
    next = (next + 1) % kBlocks;
    bool is_free = true;
    for (int port = base; is_free && port < base + kBlock; ++port) is_free = IsPortFree(port);
    if (is_free) return base;
  }
  LOG(FATAL) << "no block of " << kBlock << " free ports from " << kFirst << " to " << kLast;
}

std::chrono::system_clock::time_point In(absl::Duration time) {
  return absl::ToChronoTime(SystemClock().WallNow() + time);
}

// Whether a strong read works there: "no such file" is an answer.
bool ServesStrongReads(grpc::Channel& channel) {
  const auto files = v1::Files::NewStub(
      std::shared_ptr<grpc::Channel>(&channel, [](grpc::Channel*) {}));
  grpc::ClientContext context;
  context.set_deadline(In(kStatusTimeout));
  v1::StatRequest request;
  request.set_name("no such file");
  v1::StatResponse response;
  const grpc::Status status = files->Stat(&context, request, &response);
  return status.ok() || status.error_code() == grpc::StatusCode::NOT_FOUND;
}

std::string Brief(const v1::StatusResponse& status) {
  std::ostringstream out;
  out << "leader=" << status.leader() << " term=" << status.term()
      << " under_replicated=" << status.under_replicated();
  for (const auto& node : status.nodes()) out << " " << node.name() << "=" << node.state();
  return std::move(out).str();
}

// How many of so many members vote.
int VotersOf(int members) { return members >= 3 ? 3 : 1; }

std::string NameOf(int n) { return "n" + std::to_string(n); }

// What failed in this suite until now once more: it is looked for at the end of an output, where the logs stand.
void RepeatFailures() {
  const ::testing::TestSuite* const suite = ::testing::UnitTest::GetInstance()->current_test_suite();
  for (int i = 0; suite != nullptr && i < suite->total_test_count(); ++i) {
    const ::testing::TestInfo& test = *suite->GetTestInfo(i);
    for (int k = 0; k < test.result()->total_part_count(); ++k) {
      const ::testing::TestPartResult& part = test.result()->GetTestPartResult(k);
      if (!part.failed()) continue;
      std::cerr << "---- failed above: " << test.name() << ", "
                << (part.file_name() == nullptr ? "?" : part.file_name()) << ":" << part.line_number() << "\n"
                << part.message() << "\n";
    }
  }
}

}  // namespace

ProcessCluster::ProcessCluster() : ProcessCluster(Options()) {}

ProcessCluster::ProcessCluster(Options options)
    : options_(std::move(options)),
      certificates_(&PosixDisk(), folder_.File("certs")),
      port_base_(FindPorts()) {
  CHECK(std::filesystem::exists(ServerBinary())) << ServerBinary() << " has not been built";
  if (!options_.is_tls) return;
  const absl::Time now = SystemClock().WallNow();
  const Validity validity = {now - absl::Hours(1), now + absl::Hours(24 * 365)};
  absl::Status made = certificates_.Init("test", validity);
  for (int n = 1; made.ok() && n <= kNodesMax; ++n) {
    made = certificates_.Issue({TlsRole::kNode, NameOf(n), {"127.0.0.1"}, validity});
  }
  if (made.ok()) made = certificates_.Issue({TlsRole::kClient, "tester", {}, validity});
  CHECK(made.ok()) << made;
}

ProcessCluster::~ProcessCluster() {
  for (auto& [n, node] : nodes_) node.process.Kill();
  if (!HasFailedHere()) return;
  for (const auto& [n, node] : nodes_) {
    const std::string log = ReadFile(LogFile(n));
    std::cerr << "---- end of the log of n" << n << "\n"
              << log.substr(log.size() - std::min(log.size(), kLogTailBytes)) << "\n";
  }
  RepeatFailures();
}

absl::Status ProcessCluster::Up(int nodes) {
  std::vector<int> all;
  for (int n = 1; n <= nodes; ++n) {
    all.push_back(n);
    const bool is_first = !is_formed_;
    if (!IsRunning(n)) Start(n);
    // The others can join only what exists.
    if (is_first) {
      if (auto status = WaitReady({1}); !status.ok()) return status;
    }
  }
  return WaitReady(all);
}

std::vector<std::string> ProcessCluster::CommandOf(int n, const std::vector<std::string>& more) {
  std::vector<std::string> command;
  if (options_.runner) command = options_.runner(n);
  const std::string zone = options_.zone ? options_.zone(n) : "z" + std::to_string(n);
  command.insert(command.end(), {ServerBinary(), "--name=" + NameOf(n), "--zone=" + zone,
                                 "--data-dir=" + DataFolder(n), "--listen=" + EndpointOf(n),
                                 "--peer-listen=" + PeerAddressOf(n),
                                 "--http-listen=" + HttpAddressOf(n)});
  std::filesystem::create_directories(std::filesystem::path(LogFile(n)).parent_path());
  std::string others;
  for (const auto& [other, unused] : nodes_) {
    if (other != n) others += (others.empty() ? "" : ",") + PeerAddressOf(other);
  }
  if (!is_formed_) {
    CHECK(n == 1) << "node 1 forms the cluster";
    command.emplace_back("--bootstrap");
    is_formed_ = true;
  } else if (!others.empty()) {
    command.push_back("--join=" + others);
  }
  const bool has_own_tls = std::any_of(more.begin(), more.end(), [](const auto& flag) { return flag.starts_with("--tls-"); });
  if (options_.is_tls && !has_own_tls) {
    const auto tls = FlagsOf(NodeFiles(n));
    command.insert(command.end(), tls.begin(), tls.end());
  }
  command.insert(command.end(), options_.flags.begin(), options_.flags.end());
  command.insert(command.end(), more.begin(), more.end());
  return command;
}

CommandResult ProcessCluster::StartRefused(int n, const std::vector<std::string>& more) {
  CHECK(!At(n).process.IsAlive()) << NameOf(n) << " runs";
  return RunCommand(CommandOf(n, more), "", {}, kTerminateTimeout);
}

void ProcessCluster::Renumber(int n) {
  CHECK(!IsRunning(n)) << NameOf(n) << " runs";
  SetPorts(n, At(n), FindPorts());
}

void ProcessCluster::Start(int n, const std::vector<std::string>& more) {
  Node& node = At(n);
  CHECK(!node.process.IsAlive()) << NameOf(n) << " runs";
  const std::vector<std::string> command = CommandOf(n, more);
  std::filesystem::create_directories(std::filesystem::path(LogFile(n)).parent_path());
  node.process = ChildProcess(command, {.in = "", .out = LogFile(n), .err = LogFile(n)},
                              options_.environment ? options_.environment(n) : Environment());
  node.is_paused = false;
}

void ProcessCluster::Kill(int n) {
  At(n).process.Kill();
  At(n).is_paused = false;
}

void ProcessCluster::Pause(int n) {
  At(n).process.Signal(SIGSTOP);
  At(n).is_paused = true;
}

void ProcessCluster::Resume(int n) {
  At(n).process.Signal(SIGCONT);
  At(n).is_paused = false;
}

absl::StatusOr<int> ProcessCluster::Terminate(int n) {
  At(n).process.Signal(SIGTERM);
  const auto status = At(n).process.WaitFor(kTerminateTimeout);
  if (!status) return absl::DeadlineExceededError(NameOf(n) + " does not stop on SIGTERM");
  return *status;
}

void ProcessCluster::Wipe(int n) {
  CHECK(!IsRunning(n)) << NameOf(n) << " runs";
  std::filesystem::remove_all(DataFolder(n));
}

absl::Status ProcessCluster::Await(std::string_view what, absl::Duration timeout,
                                   const std::function<bool()>& is_met) {
  const MonotonicTime end = SystemClock().Now() + timeout;
  Event never;
  while (!is_met()) {
    if (SystemClock().Now() >= end) {
      return absl::UnavailableError("not within " + absl::FormatDuration(timeout) + ": " +
                                    std::string(what));
    }
    never.WaitFor(kPollEvery);
  }
  return absl::OkStatus();
}

bool ProcessCluster::IsReady(const std::vector<int>& nodes, std::string* seen) {
  std::set<std::string> leaders;
  int voters = 0;
  int members = 0;
  for (const int asked : nodes) {
    const auto status = Status(asked);
    if (!status.ok()) {
      *seen = NameOf(asked) + ": " + status.status().ToString();
      return false;
    }
    *seen = NameOf(asked) + ": " + Brief(*status);
    std::set<std::string> alive;
    voters = 0;
    for (const auto& node : status->nodes()) {
      if (node.state() == "alive") alive.insert(node.name());
      voters += node.role() == "voter" || node.role() == "leader" ? 1 : 0;
    }
    members = status->nodes_size();
    for (const int n : nodes) {
      if (!alive.contains(NameOf(n))) return false;
    }
    leaders.insert(status->leader());
  }
  if (leaders.size() != 1 || leaders.contains("")) return false;
  bool leads_one_of_them = false;
  for (const int n : nodes) leads_one_of_them |= leaders.contains(NameOf(n));
  if (!leads_one_of_them || voters < VotersOf(members)) return false;
  for (const int n : nodes) {
    if (!ServesStrongReads(*ClientChannel(n))) {
      *seen += "; no strong read at " + NameOf(n);
      return false;
    }
  }
  return true;
}

absl::Status ProcessCluster::WaitReady(const std::vector<int>& nodes, absl::Duration timeout) {
  std::string seen;
  int dead = 0;
  absl::Status status = Await("ready", timeout, [&] {
    for (const int n : nodes) {
      if (!At(n).process.IsAlive()) dead = n;
    }
    return dead != 0 || IsReady(nodes, &seen);
  });
  if (dead != 0) return absl::InternalError(NameOf(dead) + " has stopped by itself; last seen " + seen);
  if (!status.ok()) return absl::UnavailableError(std::string(status.message()) + "; " + seen);
  return status;
}

absl::Status ProcessCluster::WaitUntil(int n, std::string_view what, const Condition& is_met,
                                       absl::Duration timeout) {
  std::string seen;
  absl::Status status = Await(what, timeout, [&] {
    const auto answer = Status(n);
    seen = answer.ok() ? Brief(*answer) : answer.status().ToString();
    return answer.ok() && is_met(*answer);
  });
  if (!status.ok()) return absl::UnavailableError(std::string(status.message()) + "; last seen " + seen);
  return status;
}

absl::Status ProcessCluster::WaitCaughtUp(const std::vector<int>& nodes, absl::Duration timeout) {
  return Await("the same applied index everywhere", timeout, [&] {
    std::set<std::uint64_t> indexes;
    for (const int n : nodes) {
      const auto status = Status(n);
      if (!status.ok()) return false;
      indexes.insert({status->commit_index(), status->applied_index()});
    }
    return indexes.size() == 1;
  });
}

absl::Status ProcessCluster::WaitFullyReplicated(int n, absl::Duration timeout) {
  // Node `n` tells of what it has applied: a file that another one has just acknowledged may be missing there.
  std::uint64_t committed = 0;
  for (const int asked : Running()) {
    if (const auto status = Status(asked); status.ok()) committed = std::max(committed, status->commit_index());
  }
  return WaitUntil(
      n, "all copies of every file",
      [committed](const v1::StatusResponse& status) {
        return status.applied_index() >= committed && status.under_replicated() == 0;
      },
      timeout);
}

absl::StatusOr<int> ProcessCluster::Leader() {
  int leader = 0;
  absl::Status status = Await("a leader", kReadyTimeout, [&] {
    for (const int n : Running()) {
      const auto answer = Status(n);
      // Whoever leads says so itself: others may not have heard of its end.
      if (answer.ok() && answer->leader() == NameOf(n)) leader = n;
    }
    return leader != 0;
  });
  if (!status.ok()) return status;
  return leader;
}

absl::StatusOr<int> ProcessCluster::Follower() {
  auto leader = Leader();
  if (!leader.ok()) return leader;
  for (const int n : Running()) {
    if (n != *leader) return n;
  }
  return absl::NotFoundError("no follower runs");
}

absl::StatusOr<v1::StatusResponse> ProcessCluster::Status(int n) {
  const auto cluster = v1::Cluster::NewStub(ClientChannel(n));
  grpc::ClientContext context;
  context.set_deadline(In(kStatusTimeout));
  // A call that fails at once on a broken channel also stops driving the attempt to connect again: in a process
  // without other gRPC threads nobody does it then, for seconds.
  context.set_wait_for_ready(true);
  v1::StatusResponse response;
  if (const auto status = cluster->Status(&context, {}, &response); !status.ok()) {
    return FromGrpc(status);
  }
  return response;
}

bool ProcessCluster::IsRunning(int n) const {
  const auto found = nodes_.find(n);
  return found != nodes_.end() && found->second.process.is_running();
}

std::vector<int> ProcessCluster::Running() const {
  std::vector<int> out;
  for (const auto& [n, node] : nodes_) {
    if (node.process.is_running() && !node.is_paused) out.push_back(n);
  }
  return out;
}

pid_t ProcessCluster::PidOf(int n) const { return At(n).process.pid(); }

ProcessCluster::Node& ProcessCluster::At(int n) {
  CHECK(n >= 1 && n <= kNodesMax) << n;
  auto [at, is_new] = nodes_.try_emplace(n);
  if (is_new) SetPorts(n, at->second, port_base_ + kPortsPerNode * n);
  return at->second;
}

void ProcessCluster::SetPorts(int n, Node& node, int first_port) const {
  node.first_port = first_port;
  // Channels of their own, with short pauses between attempts to connect: tests kill and restart.
  node.client_channel =
      DialerWith(ClientFiles(), TlsDoor::kServer).Dial(AddressOf(n, first_port), ChannelUse::kControl);
  node.peer_channel =
      DialerWith(NodeFiles(n), TlsDoor::kPeers).Dial(AddressOf(n, first_port + 1), ChannelUse::kControl);
}

TlsFiles ProcessCluster::NodeFiles(int n) const {
  if (!options_.is_tls) return {};
  return {certificates_.CertificateFile(NameOf(n)), certificates_.KeyFile(NameOf(n)), certificates_.CaFile()};
}

TlsFiles ProcessCluster::ClientFiles() const {
  if (!options_.is_tls) return {};
  return {certificates_.CertificateFile("tester"), certificates_.KeyFile("tester"), certificates_.CaFile()};
}

Dialer ProcessCluster::DialerWith(const TlsFiles& files, TlsDoor door) const {
  if (!options_.is_tls) return Dialer();
  const auto identity = LoadTlsIdentity(files, SystemClock().WallNow());
  CHECK(identity.ok()) << identity.status();
  return Dialer(*identity, door);
}

client::FileClientOptions ProcessCluster::ClientOptions() const {
  client::FileClientOptions options;
  options.calls.dialer = DialerWith(ClientFiles(), TlsDoor::kServer);
  return options;
}

std::vector<std::string> ProcessCluster::FlagsOf(const TlsFiles& files) {
  if (!files.has_any()) return {};
  return {"--tls-cert=" + files.cert, "--tls-key=" + files.key, "--tls-ca=" + files.ca};
}

std::string ProcessCluster::AddressOf(int n, int port) const {
  return (options_.host ? options_.host(n) : "127.0.0.1") + ":" + std::to_string(port);
}

const ProcessCluster::Node& ProcessCluster::At(int n) const { return nodes_.at(n); }

std::string ProcessCluster::EndpointOf(int n) const {
  const auto found = nodes_.find(n);
  const int port = found == nodes_.end() ? port_base_ + kPortsPerNode * n : found->second.first_port;
  return AddressOf(n, port);
}

std::string ProcessCluster::PeerAddressOf(int n) const {
  const auto found = nodes_.find(n);
  const int port = found == nodes_.end() ? port_base_ + kPortsPerNode * n : found->second.first_port;
  return AddressOf(n, port + 1);
}

std::string ProcessCluster::HttpAddressOf(int n) const {
  const auto found = nodes_.find(n);
  const int port =
      found == nodes_.end() ? port_base_ + kPortsPerNode * n : found->second.first_port;
  return AddressOf(n, port + 2);
}

std::vector<std::string> ProcessCluster::Endpoints() const {
  std::vector<std::string> out;
  for (const auto& [n, node] : nodes_) out.push_back(EndpointOf(n));
  return out;
}

std::string ProcessCluster::EndpointList() const {
  std::string out;
  for (const auto& endpoint : Endpoints()) out += (out.empty() ? "" : ",") + endpoint;
  return out;
}

std::shared_ptr<grpc::Channel> ProcessCluster::ClientChannel(int n) { return At(n).client_channel; }

std::shared_ptr<grpc::Channel> ProcessCluster::PeerChannel(int n) { return At(n).peer_channel; }

std::string ProcessCluster::DataFolder(int n) const { return folder_.File(NameOf(n)) + "/data"; }

std::string ProcessCluster::LogFile(int n) const { return folder_.File(NameOf(n)) + "/server.log"; }

CommandResult ProcessCluster::Cli(const std::vector<std::string>& arguments, std::string_view in,
                                  absl::Duration timeout) const {
  std::vector<std::string> command = {CliBinary(), "--endpoints=" + EndpointList()};
  const auto tls = FlagsOf(ClientFiles());
  command.insert(command.end(), tls.begin(), tls.end());
  command.insert(command.end(), arguments.begin(), arguments.end());
  return RunCommand(command, in, {}, timeout);
}

std::string ProcessCluster::BinaryFolder() { return DFS_BINARY_FOLDER; }
std::string ProcessCluster::SourceFolder() { return DFS_SOURCE_FOLDER; }
std::string ProcessCluster::ServerBinary() { return BinaryFolder() + "/dfs-server"; }
std::string ProcessCluster::CliBinary() { return BinaryFolder() + "/dfs-cli"; }

}  // namespace dfs::testing
