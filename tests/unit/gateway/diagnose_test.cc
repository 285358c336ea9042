#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "server/gateway/cluster_service.h"

namespace dfs::gateway {
namespace {

api::StatusResponse HealthyCluster(int nodes) {
  api::StatusResponse status;
  status.set_leader_id(1);
  status.set_answered_by("n1");
  for (int i = 1; i <= nodes; ++i) {
    auto& node = *status.add_nodes();
    node.set_name("n" + std::to_string(i));
    node.set_state("alive");
  }
  return status;
}

std::vector<std::string> Codes(const std::vector<api::HealthReason>& reasons) {
  std::vector<std::string> codes;
  for (const auto& reason : reasons) {
    codes.push_back(reason.code());
    EXPECT_FALSE(reason.text().empty());
    EXPECT_FALSE(reason.advice().empty());
  }
  return codes;
}

TEST(Diagnose, AWholeClusterHasNoReasons) {
  EXPECT_TRUE(Diagnose(HealthyCluster(3), absl::OkStatus()).empty());
}

TEST(Diagnose, FewMembersAreSaidLoudly) {
  EXPECT_EQ(Codes(Diagnose(HealthyCluster(1), absl::OkStatus())),
            std::vector<std::string>{"SINGLE_NODE"});
  EXPECT_EQ(Codes(Diagnose(HealthyCluster(2), absl::OkStatus())),
            std::vector<std::string>{"TWO_NODES"});
}

TEST(Diagnose, AJoinerIsNoMember) {
  auto status = HealthyCluster(3);
  status.mutable_nodes(2)->set_state("joining");
  EXPECT_EQ(Codes(Diagnose(status, absl::OkStatus())), std::vector<std::string>{"TWO_NODES"});
}

TEST(Diagnose, FullDisksAndStoppedCollectionsAreSaid) {
  auto status = HealthyCluster(3);
  status.mutable_nodes(0)->set_space("ok");
  status.mutable_nodes(1)->set_space("low");
  status.mutable_nodes(2)->set_space("full");
  status.mutable_nodes(2)->set_withheld_bytes(5);
  const auto reasons = Diagnose(status, absl::OkStatus());
  EXPECT_EQ(Codes(reasons),
            (std::vector<std::string>{"DISK_NEARLY_FULL", "DISK_FULL", "GC_STOPPED"}));
  EXPECT_NE(reasons[2].advice().find("gc --confirm n3"), std::string::npos);
  for (const auto& reason : reasons) EXPECT_EQ(reason.severity(), api::HEALTH_WARN);
}

// Rules R23 and R24.
TEST(Diagnose, WrongClocksAndRemovalsThatNobodyMayForgetAreSaid) {
  auto status = HealthyCluster(3);
  status.mutable_nodes(0)->set_gossip_clock_ms(-60'000);
  status.mutable_nodes(1)->set_gossip_tombstone_s(24 * 3'600);
  EXPECT_TRUE(Diagnose(status, absl::OkStatus()).empty()) << "just within";
  status.mutable_nodes(0)->set_gossip_clock_ms(-61'000);
  status.mutable_nodes(1)->set_gossip_tombstone_s(24 * 3'600 + 1);
  status.mutable_nodes(2)->set_gossip_clock_ms(61'000);
  const auto reasons = Diagnose(status, absl::OkStatus());
  EXPECT_EQ(Codes(reasons), (std::vector<std::string>{"CLOCK_OFF", "CLOCK_OFF", "TOMBSTONES_KEPT"}));
  ASSERT_EQ(reasons.size(), 3u);
  EXPECT_EQ(reasons[0].severity(), api::HEALTH_ERR);
  EXPECT_NE(reasons[0].text().find("61 s ahead of"), std::string::npos) << reasons[0].text();
  EXPECT_NE(reasons[1].text().find("61 s behind"), std::string::npos) << reasons[1].text();
  EXPECT_EQ(reasons[2].severity(), api::HEALTH_WARN);
}

TEST(Diagnose, CertificatesThatEndAreSaidInTime) {
  auto status = HealthyCluster(3);
  const absl::Time now = absl::FromUnixSeconds(2'000'000'000);
  const auto ends = [&](int node, absl::Duration left) {
    status.mutable_nodes(node)->set_certificate_not_after_s(absl::ToUnixSeconds(now + left));
  };
  ends(0, absl::Hours(24 * 30 + 1));
  EXPECT_TRUE(Diagnose(status, absl::OkStatus(), now).empty());
  ends(1, absl::Hours(24 * 30 - 1));
  ends(2, -absl::Seconds(1));
  const auto reasons = Diagnose(status, absl::OkStatus(), now);
  EXPECT_EQ(Codes(reasons), (std::vector<std::string>{"CERTIFICATE_EXPIRED", "CERTIFICATE_EXPIRES"}));
  EXPECT_EQ(reasons[0].severity(), api::HEALTH_ERR);
  EXPECT_NE(reasons[0].text().find("n3"), std::string::npos);
  EXPECT_EQ(reasons[1].severity(), api::HEALTH_WARN);
}

// Feature 48.
TEST(Diagnose, LossOnPurposeIsSaidLoudly) {
  const auto reasons = Diagnose(HealthyCluster(3), absl::OkStatus(), absl::InfinitePast(),
                                "loses 30 % of its messages");
  EXPECT_EQ(Codes(reasons), std::vector<std::string>{"TEST_FAULTS"});
  EXPECT_NE(reasons[0].text().find("n1 was started for a test and ON PURPOSE loses 30 %"), std::string::npos) << reasons[0].text();
}

// Feature 10.
TEST(Diagnose, WorstComesFirst) {
  auto status = HealthyCluster(3);
  status.set_leader_id(0);
  status.set_under_replicated(7);
  status.mutable_nodes(1)->set_state("dead");
  const auto reasons = Diagnose(status, absl::DataLossError("sync failed"));
  EXPECT_EQ(Codes(reasons),
            (std::vector<std::string>{"DISK_FAILED", "NO_LEADER", "NODE_DOWN", "UNDER_REPLICATED"}));
  EXPECT_EQ(reasons[0].severity(), api::HEALTH_ERR);
  EXPECT_EQ(reasons[2].severity(), api::HEALTH_WARN);
  EXPECT_NE(reasons[2].text().find("n2"), std::string::npos);
}

}  // namespace
}  // namespace dfs::gateway
