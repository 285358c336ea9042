#include "server/replicated_log/raft_host.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <set>
#include <vector>

#include "tests/unit/replicated_log/log_test_cluster.h"

namespace dfs::replicated_log {
namespace {

const std::set<NodeId> kThree = {NodeId(1), NodeId(2), NodeId(3)};

absl::StatusOr<rpc::CommandResult> ProposeAndWait(RaftHost& host, std::uint64_t epoch) {
  CommandAnswer answer;
  host.Propose(NodeStartedCommand(1, epoch), Term(), answer.Callback());
  return answer.Get();
}

void ProposeUntilTheLogIsCut(LogTestNode& leader) {
  constexpr int kProposals = 25'000;  // enough for two cuts
  constexpr int kAtOnce = 500;
  for (int i = 0; i < kProposals; i += kAtOnce) {
    std::vector<CommandAnswer> answers(kAtOnce);
    for (auto& answer : answers) {
      leader.host->Propose(NodeStartedCommand(1, static_cast<std::uint64_t>(i)), Term(), answer.Callback());
    }
    for (auto& answer : answers) ASSERT_TRUE(answer.Get().ok());
  }
  ASSERT_TRUE(WaitUntil([&] { return leader.store.Load()->base_index > LogIndex(1); }));
}

// Joins node 3 as one that gets no commands.
absl::StatusOr<rpc::CommandResult> JoinStorageNode(LogTestNode& leader) {
  CommandAnswer join;
  leader.host->ProposeMembers(
      [](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
        consensus::MemberInfo member;
        member.storage_uuid = UuidOf(NodeId(3));
        member.gets_no_commands = true;
        now.members[NodeId(3)] = member;
        return now;
      },
      NodeStartedCommand(1, 1'000'000), join.Callback());
  return join.Get();
}

absl::Status AwaitApplied(LogTestNode& node, LogIndex index) {
  Answer<absl::Status> applied;
  node.host->WaitApplied(index, kPatience, applied.Callback());
  return applied.Get();
}

TEST(RaftHost, OneVoterServesAlone) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  const auto result = ProposeAndWait(*leader->host, 7);
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->code(), rpc::CommandResult::DONE);
  EXPECT_EQ(leader->machine.View()->FindNode(NodeId(1))->boot_epoch(), 7u);
  EXPECT_TRUE(leader->leadership.is_leading());
  EXPECT_EQ(leader->host->Status().configuration, MembersOf({NodeId(1)}));
}

TEST(RaftHost, ThreeVotersElectAndReplicate) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  const auto result = ProposeAndWait(*leader->host, 7);
  ASSERT_TRUE(result.ok()) << result.status();
  for (auto& [id, node] : cluster.nodes) {
    Answer<absl::Status> applied;
    node->host->WaitApplied(LogIndex(result->applied_index()), kPatience, applied.Callback());
    EXPECT_TRUE(applied.Get().ok());
    EXPECT_EQ(node->machine.View()->FindNode(NodeId(1))->boot_epoch(), 7u);
  }
}

// A slow disk. The leader is silent while its disk hangs; it must not go on to call itself leader either.
TEST(RaftHost, ALeaderWhoseDiskHangsIsReplacedAndKnowsIt) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* old = cluster.WaitForLeader();
  ASSERT_NE(old, nullptr);
  Event is_hanging;
  Event goes_on;
  old->store.SetAppendHook([&] {
    is_hanging.Set();
    goes_on.Wait();
  });
  CommandAnswer during;
  old->host->Propose(NodeStartedCommand(1, 7), Term(), during.Callback());
  is_hanging.Wait();
  EXPECT_TRUE(WaitUntil([&] { return old->host->Status().role != consensus::Role::kLeader; }));
  EXPECT_TRUE(old->host->Status().is_hanging);
  EXPECT_FALSE(old->host->Status().can_serve);
  EXPECT_TRUE(old->host->Status().leader.is_none());
  LogTestNode* next = cluster.WaitForLeader(old->id);
  ASSERT_NE(next, nullptr);
  ASSERT_TRUE(ProposeAndWait(*next->host, 8).ok());
  goes_on.Set();
  EXPECT_TRUE(WaitUntil([&] { return old->host->Status().leader == next->host->Status().self; }));
  // The others had the entry before the disk did: it may be committed without this node.
  EXPECT_NE(during.Get().status().code(), absl::StatusCode::kUnknown) << "never answered";
  Answer<absl::Status> applied;
  old->host->WaitApplied(next->host->Status().commit_index, kPatience, applied.Callback());
  EXPECT_TRUE(applied.Get().ok());
  EXPECT_FALSE(old->host->Status().is_hanging);
}

TEST(RaftHost, AFollowerRefusesProposalsAndReads) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  LogTestNode& follower = cluster.node(leader->id == NodeId(1) ? 2 : 1);
  EXPECT_EQ(ProposeAndWait(*follower.host, 7).status().code(), absl::StatusCode::kUnavailable);
  Answer<absl::StatusOr<LogIndex>> read;
  follower.host->ReadIndex(read.Callback());
  EXPECT_EQ(read.Get().status().code(), absl::StatusCode::kUnavailable);
}

TEST(RaftHost, AProposalForAnotherTermDoesNotHappen) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  const Term term = leader->host->Status().term;
  CommandAnswer answer;
  leader->host->Propose(NodeStartedCommand(1, 7), term.Next(), answer.Callback());
  EXPECT_EQ(answer.Get().status().code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(leader->machine.View()->FindNode(NodeId(1))->boot_epoch(), 7u);
}

TEST(RaftHost, AReadIndexCoversWhatWasAnsweredBefore) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  for (std::uint64_t epoch = 10; epoch < 30; ++epoch) {
    const auto result = ProposeAndWait(*leader->host, epoch);
    ASSERT_TRUE(result.ok()) << result.status();
    Answer<absl::StatusOr<LogIndex>> read;
    leader->host->ReadIndex(read.Callback());
    const auto index = read.Get();
    ASSERT_TRUE(index.ok()) << index.status();
    EXPECT_GE(index->value(), result->applied_index());
  }
}

TEST(RaftHost, WaitingForAnIndexEndsWithItsTime) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  Answer<absl::Status> applied;
  leader->host->WaitApplied(LogIndex(1'000'000), absl::Milliseconds(30), applied.Callback());
  EXPECT_EQ(applied.Get().code(), absl::StatusCode::kDeadlineExceeded);
}

TEST(RaftHost, ManyProposalsShareASync) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  // While the first one's sync lasts, all the others arrive.
  constexpr int kProposals = 500;
  Event arrived;
  Event in_sync;
  leader->store.SetAppendHook([&] {
    in_sync.Set();
    arrived.Wait();
  });
  std::vector<CommandAnswer> answers(kProposals);
  const int before = leader->store.appends();
  leader->host->Propose(NodeStartedCommand(1, 7), Term(), answers[0].Callback());
  in_sync.Wait();
  for (int i = 1; i < kProposals; ++i) {
    leader->host->Propose(NodeStartedCommand(1, 7), Term(),
                          answers[static_cast<std::size_t>(i)].Callback());
  }
  arrived.Set();
  for (auto& answer : answers) EXPECT_TRUE(answer.Get().ok());
  EXPECT_LE(leader->store.appends() - before, 3);
}

TEST(RaftHost, ACutOffLeaderDoesNotKnowTheOutcome) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* old = cluster.WaitForLeader();
  ASSERT_NE(old, nullptr);
  cluster.network.Isolate(old->id);
  CommandAnswer answer;
  old->host->Propose(NodeStartedCommand(1, 99), Term(), answer.Callback());
  EXPECT_EQ(answer.Get().status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_FALSE(old->leadership.is_leading());
  ASSERT_NE(cluster.WaitForLeader(old->id), nullptr);
}

// Whoever waits for a leader at this node is told that there is none for long, not that there was none before it led.
TEST(RaftHost, SilenceOfTheLeaderCountsFromTheEndOfLeading) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* old = cluster.WaitForLeader();
  ASSERT_NE(old, nullptr);
  const MonotonicTime isolated = SystemClock().Now();
  cluster.network.Isolate(old->id);
  RaftStatus status;
  ASSERT_TRUE(WaitUntil([&] {
    status = old->host->Status();
    return status.leader.is_none();
  }));
  EXPECT_LT(status.leader_silence, SystemClock().Now() - isolated);
}

TEST(RaftHost, ABrokenLeadershipIsHealedAndTheReplacedProposalSurelyDidNotHappen) {
  consensus::Options options;
  // Long enough for the old leader to learn the fate of its proposal after it was healed.
  options.election_timeout_min = absl::Milliseconds(300);
  options.election_timeout_max = absl::Milliseconds(2'000);
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll(options);
  LogTestNode* old = cluster.WaitForLeader();
  ASSERT_NE(old, nullptr);
  cluster.network.Isolate(old->id);
  CommandAnswer answer;
  old->host->Propose(NodeStartedCommand(1, 99), Term(), answer.Callback());
  LogTestNode* next = cluster.WaitForLeader(old->id);
  ASSERT_NE(next, nullptr);
  ASSERT_TRUE(ProposeAndWait(*next->host, 50).ok());
  cluster.network.Heal();
  const auto status = answer.Get().status();
  // By its own clock it may have given up a moment before it was healed.
  EXPECT_TRUE(status.code() == absl::StatusCode::kUnavailable ||
              status.code() == absl::StatusCode::kDeadlineExceeded)
      << status;
  Answer<absl::Status> applied;
  old->host->WaitApplied(next->host->Status().applied_index, kPatience, applied.Callback());
  ASSERT_TRUE(applied.Get().ok());
  EXPECT_EQ(old->machine.View()->FindNode(NodeId(1))->boot_epoch(), 50u);
}

TEST(RaftHost, WithTwoMembersAChangeWaitsForTheLearner) {
  LogTestCluster cluster(2, MembersOf({NodeId(1)}, {NodeId(2)}));
  cluster.node(1).Start();
  LogTestNode* leader = cluster.WaitForLeader();
  // Rule R6 also holds back the leader's own first reads, not its leadership.
  ASSERT_EQ(leader, &cluster.node(1));
  CommandAnswer answer;
  leader->host->Propose(NodeStartedCommand(1, 7), Term(), answer.Callback());
  CommandAnswer join;
  leader->host->ProposeMembers(
      [](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
        now.members[NodeId(3)] = {UuidOf(NodeId(3)), "", false};
        return now;
      },
      NodeStartedCommand(1, 8), join.Callback());
  // A join is answered at commit; by then the change before it is applied, and must not be answered.
  EXPECT_TRUE(join.Get().ok());
  EXPECT_EQ(leader->machine.View()->FindNode(NodeId(1))->boot_epoch(), 8u);
  EXPECT_FALSE(answer.IsThere());
  cluster.node(2).Start();
  EXPECT_TRUE(answer.Get().ok());
}

TEST(RaftHost, MembersJoinAndBecomeVoters) {
  LogTestCluster cluster(3, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  for (const std::uint32_t id : {2u, 3u}) {
    CommandAnswer join;
    leader->host->ProposeMembers(
        [id](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
          now.members[NodeId(id)] = {UuidOf(NodeId(id)), "", true};
          return now;
        },
        NodeStartedCommand(1, id), join.Callback());
    ASSERT_TRUE(join.Get().ok());
  }
  Answer<absl::Status> voters;
  leader->host->ProposeVoters(kThree, voters.Callback());
  EXPECT_TRUE(voters.Get().ok());
  EXPECT_EQ(leader->host->Status().configuration, MembersOf(kThree));
  EXPECT_TRUE(ProposeAndWait(*leader->host, 9).ok());
}

TEST(RaftHost, LeadershipIsHandedOver) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  Answer<absl::Status> transferred;
  leader->host->TransferLeadership(transferred.Callback());
  EXPECT_TRUE(transferred.Get().ok());
  LogTestNode* next = cluster.WaitForLeader(leader->id);
  ASSERT_NE(next, nullptr);
  // Its own status may be a step behind.
  EXPECT_TRUE(WaitUntil([&] { return !leader->host->Status().can_serve; }));
}

TEST(RaftHost, AFailedDiskEndsLeadershipAndIsTold) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  leader->store.FailAppends();
  CommandAnswer answer;
  leader->host->Propose(NodeStartedCommand(1, 7), Term(), answer.Callback());
  EXPECT_FALSE(answer.Get().ok());
  EXPECT_TRUE(leader->is_fatal.WaitFor(kPatience));
  EXPECT_FALSE(leader->leadership.is_leading());
  ASSERT_NE(cluster.WaitForLeader(leader->id), nullptr);
}

TEST(RaftHost, StopAnswersEverybody) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.node(1).Start();  // alone: nothing can be committed
  cluster.node(2).Start();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  cluster.network.Isolate(leader->id);
  CommandAnswer answer;
  Answer<absl::StatusOr<LogIndex>> read;
  Answer<absl::Status> applied;
  leader->host->Propose(NodeStartedCommand(1, 7), Term(), answer.Callback());
  leader->host->ReadIndex(read.Callback());
  leader->host->WaitApplied(LogIndex(1'000'000), kPatience, applied.Callback());
  leader->host->Stop();
  EXPECT_FALSE(answer.Get().ok());
  EXPECT_FALSE(read.Get().ok());
  EXPECT_FALSE(applied.Get().ok());
}

TEST(RaftHost, ANodeBehindTheLogGetsASnapshot) {
  LogTestCluster cluster(3, MembersOf({NodeId(1), NodeId(2)}));
  cluster.node(1).Start();
  cluster.node(2).Start();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  ASSERT_NO_FATAL_FAILURE(ProposeUntilTheLogIsCut(*leader));
  cluster.node(3).Start();
  CommandAnswer join;
  leader->host->ProposeMembers(
      [](consensus::Configuration now) -> absl::StatusOr<consensus::Configuration> {
        now.members[NodeId(3)] = {UuidOf(NodeId(3)), "", true};
        return now;
      },
      NodeStartedCommand(1, 1'000'000), join.Callback());
  const auto joined = join.Get();
  ASSERT_TRUE(joined.ok());
  LogTestNode& behind = cluster.node(3);
  Answer<absl::Status> applied;
  behind.host->WaitApplied(LogIndex(joined->applied_index()), kPatience, applied.Callback());
  ASSERT_TRUE(applied.Get().ok());
  EXPECT_GT(behind.store.Load()->base_index, LogIndex(1)) << "it came by the log after all";
  EXPECT_EQ(behind.machine.View()->GetStateHash().hash,
            leader->machine.View()->GetStateHash().hash);
  // It goes on by the log.
  ASSERT_TRUE(ProposeAndWait(*leader->host, 2'000'000).ok());
  EXPECT_TRUE(WaitUntil([&] {
    return behind.machine.View()->FindNode(NodeId(1))->boot_epoch() == 2'000'000u;
  }));
}

TEST(RaftHost, AStorageNodeFollowsTheLogWithoutItsCommands) {
  LogTestCluster cluster(3, MembersOf({NodeId(1), NodeId(2)}), /*storage=*/NodeId(3));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  const auto joined = JoinStorageNode(*leader);
  ASSERT_TRUE(joined.ok()) << joined.status();
  LogTestNode& storage = cluster.node(3);
  ASSERT_TRUE(AwaitApplied(storage, LogIndex(joined->applied_index())).ok());
  const auto log = storage.store.Load();
  ASSERT_TRUE(log.ok()) << log.status();
  for (const auto& entry : log->entries) EXPECT_EQ(entry.command, nullptr) << entry.index.value();
  EXPECT_EQ(storage.host->Status().configuration, leader->host->Status().configuration);
  EXPECT_FALSE(storage.machine.View()->FindNode(NodeId(1)));
  EXPECT_TRUE(storage.machine.View()->applied_index().is_none());

  Answer<absl::Status> adopted;
  storage.host->AdoptDirectory(leader->machine.Directory(), adopted.Callback());
  ASSERT_TRUE(adopted.Get().ok());
  EXPECT_EQ(storage.machine.View()->FindNode(NodeId(1))->boot_epoch(), 1'000'000u);
  EXPECT_EQ(storage.machine.View()->applied_index(), LogIndex(joined->applied_index()));
  // Past the next comparison of states.
  for (std::uint64_t i = 0; i < 1'100; ++i) ASSERT_TRUE(ProposeAndWait(*leader->host, 2'000'000 + i).ok());
  EXPECT_TRUE(AwaitApplied(storage, leader->host->Status().commit_index).ok());
  EXPECT_FALSE(storage.is_fatal.IsSet());
  EXPECT_EQ(storage.machine.View()->applied_index(), LogIndex(joined->applied_index())) << "as far as it was told";
}

TEST(RaftHost, AStorageNodeBehindTheLogGetsASnapshotOfTheDirectory) {
  LogTestCluster cluster(3, MembersOf({NodeId(1), NodeId(2)}), /*storage=*/NodeId(3));
  cluster.node(1).Start();
  cluster.node(2).Start();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  rpc::Command put;  // a row that is not of the directory
  put.mutable_settle()->mutable_request_id()->set_session(std::string(16, 's'));
  put.mutable_settle()->mutable_request_id()->set_sequence(1);
  CommandAnswer settled;
  leader->host->Propose(put, Term(), settled.Callback());
  ASSERT_TRUE(settled.Get().ok());
  ASSERT_NO_FATAL_FAILURE(ProposeUntilTheLogIsCut(*leader));
  LogTestNode& storage = cluster.node(3);
  storage.Start();
  const auto joined = JoinStorageNode(*leader);
  ASSERT_TRUE(joined.ok()) << joined.status();
  ASSERT_TRUE(AwaitApplied(storage, LogIndex(joined->applied_index())).ok());
  EXPECT_GT(storage.store.Load()->base_index, LogIndex(1)) << "it came by the log after all";
  EXPECT_TRUE(storage.machine.View()->FindNode(NodeId(1)));
  const std::size_t all = leader->machine.Directory().rows.size() + 2;  // how far the log is applied, and the directory told
  std::size_t rows = 0;
  storage.store.state()->Scan("", "", [&](std::string_view, std::string_view) { return ++rows > 0; });
  EXPECT_EQ(rows, all);
}

TEST(RaftHost, AStateThatDiffersFromTheLeadersStopsTheFollower) {
  LogTestCluster cluster(2, MembersOf({NodeId(1)}, {NodeId(2)}));
  // A row that the log never wrote: the rolling hash covers only what entries do, so the entry itself must differ.
  LogTestNode& follower = cluster.node(2);
  rpc::Command other = NodeStartedCommand(1, 5);
  auto entry = FoundingEntry(MembersOf({NodeId(1)}, {NodeId(2)}));
  rpc::Command founding;
  ASSERT_TRUE(founding.ParseFromString(*entry.command));
  founding.mutable_form_cluster()->mutable_node()->set_name("another");
  entry.command = std::make_shared<const std::string>(founding.SerializeAsString());
  ASSERT_TRUE(follower.store.Append(std::nullopt, {entry}).ok());
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  for (int i = 0; i < 3 && !follower.is_fatal.IsSet(); ++i) {
    std::vector<CommandAnswer> answers(600);
    for (auto& answer : answers) {
      leader->host->Propose(NodeStartedCommand(1, 7), Term(), answer.Callback());
    }
    for (auto& answer : answers) {
      if (!follower.is_fatal.IsSet()) (void)WaitUntil([&] {
        return answer.IsThere() || follower.is_fatal.IsSet();
      });
    }
  }
  EXPECT_TRUE(follower.is_fatal.WaitFor(kPatience));
  EXPECT_FALSE(leader->is_fatal.IsSet());
}

TEST(RaftHost, GoesOnAfterARestart) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.StartAll();
  LogTestNode* node = cluster.WaitForLeader();
  ASSERT_NE(node, nullptr);
  ASSERT_TRUE(ProposeAndWait(*node->host, 7).ok());
  node->host.reset();
  node->Start();
  ASSERT_NE(cluster.WaitForLeader(), nullptr);
  EXPECT_EQ(node->machine.View()->FindNode(NodeId(1))->boot_epoch(), 7u);
  EXPECT_TRUE(ProposeAndWait(*node->host, 8).ok());
}

// Rule R3: two of three are held, so nobody can be elected, and nothing is acknowledged.
TEST(RaftHost, AHeldMemberNeitherVotesNorCampaignsNorAcknowledges) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.node(2).Start({}, /*is_held=*/true);
  cluster.node(3).Start({}, /*is_held=*/true);
  cluster.node(1).Start();
  // Node 1 campaigns again and again meanwhile.
  Event never;
  never.WaitFor(absl::Seconds(1));
  for (const std::uint32_t id : {1U, 2U, 3U}) {
    EXPECT_EQ(cluster.node(id).host->Status().term, Term(1)) << id;
    EXPECT_NE(cluster.node(id).host->Status().role, consensus::Role::kLeader) << id;
  }
  EXPECT_EQ(cluster.node(2).store.appends(), 1) << "the founding entry";
  EXPECT_EQ(ProposeAndWait(*cluster.node(2).host, 7).status().code(),
            absl::StatusCode::kUnavailable);
  Answer<absl::StatusOr<LogIndex>> read;
  cluster.node(2).host->ReadIndex(read.Callback());
  EXPECT_EQ(read.Get().status().code(), absl::StatusCode::kUnavailable);
  cluster.node(2).host->Release();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  EXPECT_NE(leader->id, NodeId(3));
  EXPECT_TRUE(ProposeAndWait(*leader->host, 7).ok());
  EXPECT_EQ(cluster.node(3).store.appends(), 1);
  cluster.node(3).host->Release();
  EXPECT_TRUE(WaitUntil([&] {
    return cluster.node(3).machine.View()->FindNode(NodeId(1)) &&
           cluster.node(3).machine.View()->FindNode(NodeId(1))->boot_epoch() == 7u;
  }));
}

// Leader of its followers by their acknowledgements, followers of the leader by what its messages carry.
TEST(RaftHost, MembersRememberWhatOthersHaveShown) {
  LogTestCluster cluster(3, MembersOf(kThree));
  cluster.StartAll();
  LogTestNode* leader = cluster.WaitForLeader();
  ASSERT_NE(leader, nullptr);
  ASSERT_TRUE(ProposeAndWait(*leader->host, 7).ok());
  const auto end = leader->host->Status().durable;
  const WitnessMark expected{end.term, end.last_term, end.last_index};
  const auto lead = static_cast<std::uint32_t>(leader->id.value());
  for (const std::uint32_t id : {1U, 2U, 3U}) {
    if (id == lead) continue;
    EXPECT_TRUE(WaitUntil([&] { return cluster.MarkOf(lead, id) == expected; })) << id;
    EXPECT_TRUE(WaitUntil([&] { return cluster.MarkOf(id, lead) == expected; })) << id;
  }
  // A second later they are with the store.
  EXPECT_TRUE(WaitUntil([&] {
    const std::uint32_t follower = lead == 1 ? 2 : 1;
    return leader->store.LoadMarks().Of(NodeId(follower)) == expected &&
           cluster.node(follower).store.LoadMarks().Of(leader->id) == expected;
  }));
}

TEST(RaftHost, WhoIsAbandonedIsFatal) {
  LogTestCluster cluster(1, MembersOf({NodeId(1)}));
  cluster.node(1).Start({}, /*is_held=*/true);
  cluster.node(1).host->Abandon(absl::FailedPreconditionError("rolled back"));
  EXPECT_TRUE(cluster.node(1).is_fatal.WaitFor(kPatience));
}

}  // namespace
}  // namespace dfs::replicated_log
