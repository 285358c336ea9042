#include "tests/support/namespace_network.h"

#include <fcntl.h>
#include <glog/logging.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <sstream>

#include "tests/support/child_process.h"

namespace dfs::testing {
namespace {

constexpr char kOwnNamespace[] = "/proc/thread-self/ns/net";
constexpr char kIp[] = "/usr/sbin/ip";
constexpr char kNft[] = "/usr/sbin/nft";
// A host's packets are seen once on their way: forwarded between two hosts, or in or out at the switch itself.
constexpr char kRules[] = R"(
table bridge links {
  set cut { type ipv4_addr . ipv4_addr; }
  chain loss { }
  chain judge { ip saddr . ip daddr @cut drop; jump loss; }
  chain forward { type filter hook forward priority 0; policy accept; jump judge; }
  chain input { type filter hook input priority 0; policy accept; jump judge; }
  chain output { type filter hook output priority 0; policy accept; jump judge; }
}
)";

std::string FailureOf(const std::vector<std::string>& command, const std::string& in) {
  const CommandResult result = RunCommand(command, in);
  if (result.exit_code == 0) return "";
  std::string text;
  for (const std::string& word : command) text += word + " ";
  return text + "ended with " + std::to_string(result.exit_code) + ": " + result.err + "; its input: " + in;
}

void Run(std::vector<std::string> before, const std::vector<std::string>& command, const std::string& in) {
  before.insert(before.end(), command.begin(), command.end());
  const std::string failure = FailureOf(before, in);
  CHECK(failure.empty()) << failure;
}

// /proc/self/status, the line "Threads:".
int ThreadsOfThisProcess() {
  const std::filesystem::directory_iterator tasks("/proc/self/task");
  return static_cast<int>(std::distance(begin(tasks), end(tasks)));
}

// Root may; others may as root of a user namespace, where the system permits these.
std::string LeaveNetwork() {
  if (unshare(CLONE_NEWNET) == 0) return "";
  const uid_t user = geteuid();
  const gid_t group = getegid();
  if (unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0) {
    return std::string("no network namespace: ") + strerror(errno);  // NOLINT(concurrency-mt-unsafe): one thread
  }
  WriteFile("/proc/self/setgroups", "deny");
  WriteFile("/proc/self/uid_map", "0 " + std::to_string(user) + " 1");
  WriteFile("/proc/self/gid_map", "0 " + std::to_string(group) + " 1");
  return "";
}

std::string PathOf(int descriptor) {
  return "/proc/" + std::to_string(getpid()) + "/fd/" + std::to_string(descriptor);
}

// A fresh namespace; this thread stays where it is.
int MakeNamespace() {
  const int own = open(kOwnNamespace, O_RDONLY | O_CLOEXEC);
  PCHECK(own >= 0) << kOwnNamespace;
  PCHECK(unshare(CLONE_NEWNET) == 0);
  const int made = open(kOwnNamespace, O_RDONLY | O_CLOEXEC);
  PCHECK(made >= 0) << kOwnNamespace;
  PCHECK(setns(own, CLONE_NEWNET) == 0);
  close(own);
  return made;
}

}  // namespace

std::string EnterOwnNetwork() {
  for (const char* tool : {kIp, kNft}) {
    if (!std::filesystem::exists(tool)) return std::string(tool) + " is not installed";
  }
  CHECK(ThreadsOfThisProcess() == 1) << "threads that run already would stay outside";
  if (std::string failure = LeaveNetwork(); !failure.empty()) return failure;
  // Everything that a network needs, tried once, so that later failures are failures.
  if (std::string failure = FailureOf({kIp, "-batch", "-"},
                                      "link set lo up\n"
                                      "link add sw type bridge\n"
                                      "link add try1 type veth peer name try2\n"
                                      "link del try1\n"
                                      "link del sw\n");
      !failure.empty()) {
    return failure;
  }
  return FailureOf({kNft, "-f", "-"}, std::string(kRules) +
                                          "add rule bridge links loss numgen random mod 1000 < 1 drop\n"
                                          "delete table bridge links\n");
}

NamespaceNetwork::NamespaceNetwork(int hosts) : hosts_(hosts) {
  CHECK(hosts >= 1 && hosts <= kHostsMax) << hosts;
  std::ostringstream at_switch;
  at_switch << "link add sw type bridge\naddr add " << AddressOf(0) << "/24 dev sw\nlink set sw up\n";
  for (int host = 1; host <= hosts; ++host) {
    namespaces_.push_back(MakeNamespace());
    at_switch << "link add port" << host << " type veth peer name eth0 netns " << PathOf(namespaces_.back())
              << "\nlink set port" << host << " master sw\nlink set port" << host << " up\n";
  }
  Run({}, {kIp, "-batch", "-"}, at_switch.str());
  for (int host = 1; host <= hosts; ++host) {
    Run(RunnerAt(host), {kIp, "-batch", "-"},
        "link set lo up\naddr add " + AddressOf(host) + "/24 dev eth0\nlink set eth0 up\n");
  }
  Run({}, {kNft, "-f", "-"}, kRules);
}

NamespaceNetwork::~NamespaceNetwork() {
  Run({}, {kNft, "-f", "-"}, "delete table bridge links\n");
  std::string ports;
  for (int host = 1; host <= hosts_; ++host) ports += "link del port" + std::to_string(host) + "\n";
  Run({}, {kIp, "-batch", "-"}, ports + "link del sw\n");
  for (const int descriptor : namespaces_) close(descriptor);
}

std::string NamespaceNetwork::AddressOf(int host) {
  return "10.77.0." + std::to_string(host == 0 ? 100 : host);
}

std::vector<std::string> NamespaceNetwork::RunnerAt(int host) const {
  return {"nsenter", "--net=" + PathOf(namespaces_.at(static_cast<std::size_t>(host - 1)))};
}

void NamespaceNetwork::SetLinks(const LinkSet& links) {
  CHECK(links.nodes() <= hosts_);
  std::erase_if(cut_, [&](const auto& link) {
    return link.first != 0 && link.second != 0 && std::max(link.first, link.second) <= links.nodes();
  });
  cut_.insert(links.cut().begin(), links.cut().end());
  Apply();
}

void NamespaceNetwork::Cut(int a, int b) {
  cut_.insert({b, a});
  CutOneWay(a, b);
}

void NamespaceNetwork::CutOneWay(int from, int to) {
  cut_.insert({from, to});
  Apply();
}

void NamespaceNetwork::Heal() {
  cut_.clear();
  Apply();
}

void NamespaceNetwork::SetLossPerMille(int per_mille) {
  loss_per_mille_ = per_mille;
  Apply();
}

void NamespaceNetwork::Apply() {
  std::ostringstream rules;
  rules << "flush set bridge links cut\nflush chain bridge links loss\n";
  for (const auto& [from, to] : cut_) {
    rules << "add element bridge links cut { " << AddressOf(from) << " . " << AddressOf(to) << " }\n";
  }
  if (loss_per_mille_ > 0) {
    rules << "add rule bridge links loss numgen random mod 1000 < " << loss_per_mille_ << " drop\n";
  }
  Run({}, {kNft, "-f", "-"}, rules.str());
}

}  // namespace dfs::testing
