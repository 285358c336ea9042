// Nodes in network namespaces of their own, for tests that cut links between them.
#ifndef DFS_TESTS_INTEGRATION_NETWORK_FIXTURE_H_
#define DFS_TESTS_INTEGRATION_NETWORK_FIXTURE_H_

#include <gtest/gtest.h>

#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "tests/integration/cluster_fixture.h"
#include "tests/support/namespace_network.h"

namespace dfs::testing {

// Before the first test of a binary: the network of its own, while there is one thread only.
class OwnNetwork : public ::testing::Environment {
 public:
  void SetUp() override {
    WhyNot() = EnterOwnNetwork();
    // tests/run prints such lines, and ctest counts the binary as skipped.
    if (!WhyNot().empty()) std::cout << "SKIPPED: tests in network namespaces: " << WhyNot() << std::endl;
  }
  // Why there can be none; empty if there is.
  static std::string& WhyNot() {
    static std::string reason;
    return reason;
  }
};
inline const ::testing::Environment* const kOwnNetwork =
    ::testing::AddGlobalTestEnvironment(new OwnNetwork);

inline ProcessCluster::Options AtHosts(const NamespaceNetwork& network, std::vector<std::string> flags = {}) {
  ProcessCluster::Options options;
  flags.emplace_back("--insecure");
  options.flags = std::move(flags);
  options.host = NamespaceNetwork::AddressOf;
  options.runner = [&network](int n) { return network.RunnerAt(n); };
  return options;
}

// Five nodes for all tests of a suite; each test leaves the links whole.
class NetworkedNodes : public ::testing::Test {
 protected:
  static constexpr int kNodes = 5;

  static void SetUpTestSuite() {
    if (!OwnNetwork::WhyNot().empty()) return;
    network_ = std::make_unique<NamespaceNetwork>(kNodes);
    cluster_ = std::make_unique<ProcessCluster>(AtHosts(*network_));
    ASSERT_OK(cluster_->Up(kNodes));
    ASSERT_OK(cluster_->WaitUntil(1, "five voters", [](const v1::StatusResponse& status) {
      int voters = 0;
      for (const auto& node : status.nodes()) voters += node.role() == "learner" ? 0 : 1;
      return voters == kNodes;
    }));
  }
  static void TearDownTestSuite() {
    cluster_.reset();
    network_.reset();
  }
  void SetUp() override {
    if (!OwnNetwork::WhyNot().empty()) GTEST_SKIP() << OwnNetwork::WhyNot();
    ASSERT_TRUE(cluster_ != nullptr);
    ASSERT_OK(cluster_->WaitReady(AllNodes()));
  }
  // Also after a failure half-way.
  void TearDown() override {
    if (network_ == nullptr) return;
    network_->Heal();
    network_->SetLossPerMille(0);
  }
  static std::vector<int> AllNodes() {
    std::vector<int> all;
    for (int n = 1; n <= kNodes; ++n) all.push_back(n);
    return all;
  }
  // dfs-cli on the machine of node `n`, which it asks first.
  static CommandResult CliAt(int n, const std::vector<std::string>& arguments, std::string_view in = {}) {
    std::vector<std::string> command = network().RunnerAt(n);
    command.insert(command.end(), {ProcessCluster::CliBinary(), "--endpoints=" + cluster().EndpointOf(n)});
    command.insert(command.end(), arguments.begin(), arguments.end());
    return RunCommand(command, in);
  }
  static NamespaceNetwork& network() { return *network_; }
  static ProcessCluster& cluster() { return *cluster_; }

 private:
  static inline std::unique_ptr<NamespaceNetwork> network_;
  static inline std::unique_ptr<ProcessCluster> cluster_;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_INTEGRATION_NETWORK_FIXTURE_H_
