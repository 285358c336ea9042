#include "tests/support/ring_views.h"

#include <sstream>

#include "common/clock.h"
#include "dfs/v1/cluster.grpc.pb.h"
#include "proto/wire_status.h"

namespace dfs::testing {
namespace {

absl::StatusOr<v1::MembersResponse> MembersAt(ProcessCluster& cluster, int n) {
  const auto stub = v1::Cluster::NewStub(cluster.ClientChannel(n));
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(SystemClock().WallNow() + absl::Seconds(1)));
  context.set_wait_for_ready(true);
  v1::MembersResponse response;
  if (const auto status = stub->Members(&context, {}, &response); !status.ok()) return FromGrpc(status);
  return response;
}

int NumberOf(const std::string& name) { return std::stoi(name.substr(1)); }

}  // namespace

absl::StatusOr<std::map<std::string, std::string>> ViewAt(ProcessCluster& cluster, int n) {
  const auto members = MembersAt(cluster, n);
  if (!members.ok()) return members.status();
  std::map<std::string, std::string> view;
  for (const auto& node : members->nodes()) view[node.name()] = node.state();
  return view;
}

absl::StatusOr<std::vector<int>> RingOrder(ProcessCluster& cluster) {
  const auto members = MembersAt(cluster, 1);
  if (!members.ok()) return members.status();
  std::map<int, int> next;
  for (const auto& node : members->nodes()) {
    if (node.successors_size() == 0) return absl::UnavailableError(node.name() + " has no successor yet");
    next[NumberOf(node.name())] = NumberOf(node.successors(0));
  }
  std::vector<int> order = {1};
  while (order.size() < next.size() && next[order.back()] != 1) order.push_back(next[order.back()]);
  if (order.size() != next.size()) return absl::UnavailableError("successors do not make one ring");
  return order;
}

absl::Status WaitForViews(ProcessCluster& cluster, const std::vector<int>& nodes, const std::set<int>& dead,
                          absl::Duration timeout) {
  std::string seen;
  absl::Status status = ProcessCluster::Await("equal views", timeout, [&] {
    for (const int n : nodes) {
      const auto view = ViewAt(cluster, n);
      if (!view.ok()) {
        seen = view.status().ToString();
        return false;
      }
      for (const auto& [name, state] : *view) {
        if (state == (dead.contains(NumberOf(name)) ? "dead" : "alive")) continue;
        seen = "n" + std::to_string(n) + " says that " + name + " is " + state;
        return false;
      }
    }
    return true;
  });
  if (!status.ok()) return absl::UnavailableError(std::string(status.message()) + "; last seen: " + seen);
  return status;
}

LoggedChanges::LoggedChanges(const ProcessCluster& cluster) : cluster_(cluster) {
  for (const int n : cluster.Running()) begin_[n] = ReadFile(cluster.LogFile(n)).size();
}

int LoggedChanges::CountOf(membership::LivenessState state) const {
  return static_cast<int>(LinesOf(state).size());
}

std::vector<std::string> LoggedChanges::LinesOf(membership::LivenessState state) const {
  // Written by server/node/node.cc.
  const std::string wanted = " to " + std::to_string(static_cast<int>(state)) + ", incarnation ";
  std::vector<std::string> out;
  for (const auto& [n, begin] : begin_) {
    std::istringstream lines(ReadFile(cluster_.LogFile(n)).substr(begin));
    for (std::string line; std::getline(lines, line);) {
      if (line.find(" went from state ") != std::string::npos && line.find(wanted) != std::string::npos) {
        out.push_back("n" + std::to_string(n) + ": " + line);
      }
    }
  }
  return out;
}

}  // namespace dfs::testing
