// Clients with a history, the cluster they use, and the judgement at the end.
#ifndef DFS_TESTS_INTEGRATION_HISTORY_FIXTURE_H_
#define DFS_TESTS_INTEGRATION_HISTORY_FIXTURE_H_

#include <cstdlib>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "common/clock.h"
#include "tests/integration/cluster_fixture.h"
#include "tests/support/client_history.h"
#include "tests/support/history_load.h"
#include "tests/support/sanitizers.h"

namespace dfs::testing {

#ifdef DFS_HAS_ADDRESS_SANITIZER
inline constexpr bool kIsSlow = true;
#else
inline constexpr bool kIsSlow = false;
#endif

// Whether long runs are wanted.
inline bool IsNightly() {
  const char* const value = std::getenv("DFS_TEST_NIGHTLY");
  return value != nullptr && std::string_view(value) == "1";
}

class HistoryFixture : public ::testing::Test {
 protected:
  // All nodes run, or are on their way.
  void Judge(HistoryLoad& load, const std::vector<int>& nodes) {
    load.Stop();
    ASSERT_OK(cluster_.WaitReady(nodes));
    ASSERT_OK(load.ReadAll(nodes));
    const MonotonicTime start = SystemClock().Now();
    const absl::Status verdict = history_->Check();
    check_time_ = SystemClock().Now() - start;
    EXPECT_OK(verdict);
    if (!verdict.ok()) {
      std::string all;
      for (const auto& name : history_->Names()) all += "== " + name + "\n" + history_->Describe(name);
      WriteFile(cluster_.folder().File("history.txt"), all);
      ADD_FAILURE() << "all operations: " << cluster_.folder().File("history.txt");
    }
    CheckAllCopies(nodes.front());
  }

  // Each copy of each file, as it lies in the stores, is what a strong read gives.
  void CheckAllCopies(int asked) {
    ASSERT_OK(cluster_.WaitFullyReplicated(asked, absl::Seconds(60)));
    client::FileClient client(cluster_.Endpoints());
    std::map<int, std::map<std::string, Fingerprint>> held;  // by node
    for (const std::string& name : history_->Names()) {
      FingerprintSink sink;
      const auto got = client.Get(name, sink);
      if (absl::IsNotFound(got.status())) continue;
      ASSERT_OK(got.status());
      const auto where = client.Locate(name);
      ASSERT_OK(where.status());
      std::vector<int> holders;
      for (const auto& row : where->locations()) holders.push_back(std::stoi(row.node().substr(1)));
      ASSERT_EQ(holders.size(), 3u) << name;
      for (const int n : holders) held[n][name] = sink.fingerprint();
      ++files_checked_;
    }
    for (const auto& [n, files] : held) ASSERT_OK(CheckCopies(cluster_, client, {n}, files));
  }

  [[nodiscard]] std::string Evidence() const {
    return history_->Summary() + "; all explained by one order for each file (checked in " +
           std::to_string(absl::ToInt64Milliseconds(check_time_)) + " ms); 3 right copies of each of the " +
           std::to_string(files_checked_) + " files left";
  }

  const std::shared_ptr<ClientHistory> history_ = std::make_shared<ClientHistory>();
  ProcessCluster cluster_;

 private:
  absl::Duration check_time_;
  int files_checked_ = 0;
};

}  // namespace dfs::testing

#endif  // DFS_TESTS_INTEGRATION_HISTORY_FIXTURE_H_
