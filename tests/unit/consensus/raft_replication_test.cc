// Log replication and commitment, rule by rule (dissertation sections 3.5 and 3.6).
#include <gtest/gtest.h>

#include <set>

#include "tests/support/raft_cluster.h"
#include "tests/unit/consensus/raft_test_messages.h"

namespace dfs::consensus {
namespace {

const Configuration kFive = MakeConfiguration({1, 2, 3, 4, 5});

// Node 1 of three leads its next term; messages to the others are left in the queue.
void MakeLeader(RaftCluster& cluster) {
  const std::uint64_t term = cluster.core(1).term().value();
  cluster.FireTimer(1);
  cluster.Step(1, From(2, 1, term, PreVoteReply{Term(term + 1), true}));
  cluster.PersistAll(1);
  cluster.Step(1, From(2, 1, term + 1, VoteReply{true}));
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
}

TEST(RaftReplication, ALeaderBeginsItsTermWithAnEntryOfItsOwn) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1, 1}), 1));
  MakeLeader(cluster);
  EXPECT_EQ(LogOf(cluster.core(1)), "1/1 2/1 3/2");
  EXPECT_EQ(cluster.core(1).first_index_of_term(), LogIndex(3));
  EXPECT_FALSE(cluster.core(1).has_committed_in_term());
}

TEST(RaftReplication, AMemberThatGetsNoCommandsGetsTheEntriesWithoutThem) {
  Configuration configuration = kThree;
  configuration.members[NodeId(4)] = {StorageUuid{1, 4}, "host:7004", /*is_active=*/false, /*gets_no_commands=*/true};
  RaftCluster cluster(configuration);
  cluster.Elect(1);
  ASSERT_TRUE(cluster.Propose(1, "a command"));
  cluster.PersistAll(1);
  std::set<std::uint32_t> with;
  std::set<std::uint32_t> without;
  cluster.on_message = [&](const Message& m) {
    const auto* append = std::get_if<AppendRequest>(&m.body);
    if (append == nullptr) return;
    for (const Entry& entry : append->entries) {
      if (entry.index != cluster.core(1).last_log_index()) continue;
      (entry.command == nullptr ? without : with).insert(static_cast<std::uint32_t>(m.to.value()));
    }
  };
  cluster.Advance(absl::Seconds(1));
  ASSERT_TRUE(cluster.Propose(1, "another"));
  cluster.Advance(absl::Seconds(1));
  EXPECT_EQ(with, (std::set<std::uint32_t>{2, 3}));
  EXPECT_EQ(without, std::set<std::uint32_t>{4});
  EXPECT_EQ(LogOf(cluster.core(4)), LogOf(cluster.core(1)));
  EXPECT_EQ(cluster.core(4).commit_index(), cluster.core(1).commit_index());
}

TEST(RaftReplication, AnEntryIsCommittedOnceAMajorityHoldsItDurably) {
  RaftCluster cluster;
  cluster.Add(1, kFive);
  cluster.FireTimer(1);
  for (const std::uint32_t from : {2u, 3u}) {
    cluster.Step(1, From(from, 1, 0, PreVoteReply{Term(1), true}));
  }
  for (const std::uint32_t from : {2u, 3u}) cluster.Step(1, From(from, 1, 1, VoteReply{true}));
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.Step(1, From(2, 1, 1, Success(1, 1)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0));
  cluster.Step(1, From(2, 1, 1, Success(1, 1)));  // a double is no second member
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0));
  cluster.Step(1, From(3, 1, 1, Success(1, 1)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(1));
}

TEST(RaftReplication, TheLeaderCountsItselfOnlyForWhatIsOnItsOwnDisk) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  cluster.node(1).hold_disk = true;
  ASSERT_TRUE(cluster.Propose(1, "a"));
  cluster.Step(1, From(2, 1, 1, Success(2, 2)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(1)) << "one disk of three";
  cluster.PersistAll(1);
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(2));
}

TEST(RaftReplication, OneVoterCommitsWhenItsOwnDiskHasTheEntry) {
  RaftCluster cluster(MakeConfiguration({1}));
  cluster.node(1).hold_disk = true;
  const auto index = cluster.Propose(1, "a");
  ASSERT_TRUE(index);
  EXPECT_LT(cluster.core(1).commit_index(), *index);
  cluster.PersistAll(1);
  EXPECT_EQ(cluster.core(1).commit_index(), *index);
}

TEST(RaftReplication, FollowersLearnOfACommitAtOnce) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  const auto index = cluster.Propose(1, "a");
  cluster.Deliver();  // no time passes
  EXPECT_EQ(cluster.core(2).commit_index(), *index);
  EXPECT_EQ(cluster.core(3).commit_index(), *index);
}

// Figure 3.7: an entry of an earlier term on a majority is not committed by that alone, and may
// be replaced. (RaftInvariants would report the replacement of a committed entry.)
TEST(RaftReplication, EntriesOfEarlierTermsAreNotCommittedByCounting) {
  RaftCluster cluster;
  cluster.defaults.append_bytes_max = 1;                       // one entry in a message
  cluster.Add(1, StateWith(kFive, LogOfTerms({1, 2}), 2, 1));  // (a) S1 led term 2
  cluster.Add(2, StateWith(kFive, LogOfTerms({1, 2}), 2, 1));
  cluster.Add(3, StateWith(kFive, LogOfTerms({1}), 3, 5));
  cluster.Add(4, StateWith(kFive, LogOfTerms({1}), 3, 5));
  cluster.Add(5, StateWith(kFive, LogOfTerms({1, 3}), 3, 5));  // (b) S5 led term 3
  cluster.Crash(5);
  // (c) S1 leads term 4 and brings entry 2 to S3, but its own entry nowhere.
  cluster.is_dropped = [](const Message& m) {
    const auto* append = std::get_if<AppendRequest>(&m.body);
    if (append == nullptr) return false;
    return m.to == NodeId(4) || (!append->entries.empty() && append->entries[0].term > Term(3));
  };
  for (int i = 0; i < 3 && cluster.core(1).role() != Role::kLeader; ++i) cluster.Elect(1);
  ASSERT_EQ(cluster.core(1).role(), Role::kLeader);
  cluster.Advance(absl::Milliseconds(120));
  ASSERT_EQ(LogOf(cluster.core(3)), "1/1 2/2");
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0)) << "though three of five hold entry 2";
  // (d) S5 comes back, wins the votes of S3 and S4, and replaces entry 2.
  cluster.Crash(1);
  cluster.is_dropped = [](const Message& m) { return m.to == NodeId(2); };
  cluster.Restart(5);
  cluster.Advance(absl::Milliseconds(600));
  for (int i = 0; i < 5 && cluster.core(5).role() != Role::kLeader; ++i) cluster.Elect(5);
  ASSERT_EQ(cluster.core(5).role(), Role::kLeader);
  cluster.Advance(absl::Milliseconds(120));
  EXPECT_EQ(LogOf(cluster.core(3)).substr(0, 7), "1/1 2/3");
  EXPECT_GE(cluster.core(5).commit_index(), LogIndex(2));
}

TEST(RaftReplication, AMajorityWithAnOldEntryOnlyCommitsNothing) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1, 2}), 3));
  MakeLeader(cluster);  // term 4; entry 3 is its own
  cluster.Step(1, From(2, 1, 4, Success(2, 1)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0));
  cluster.Step(1, From(2, 1, 4, Success(3, 1)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(3));
}

// Figure 3.6 (7 in the paper): whatever followers hold, the leader's log comes to be theirs.
TEST(RaftReplication, TheLeaderBringsAllLogsToAgree) {
  const Configuration seven = MakeConfiguration({1, 2, 3, 4, 5, 6, 7});
  RaftCluster cluster;
  const auto add = [&](std::uint32_t id, const std::vector<std::uint64_t>& terms) {
    cluster.Add(id, StateWith(seven, LogOfTerms(terms), std::max<std::uint64_t>(7, terms.back())));
  };
  add(1, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6});        // leads term 8
  add(2, {1, 1, 1, 4, 4, 5, 5, 6, 6});           // (a)
  add(3, {1, 1, 1, 4});                          // (b)
  add(4, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6});     // (c)
  add(5, {1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7});  // (d)
  add(6, {1, 1, 1, 4, 4, 4, 4});                 // (e)
  add(7, {1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3});     // (f)
  cluster.Elect(1);
  cluster.Advance(absl::Milliseconds(300));
  ASSERT_EQ(cluster.Leader(), 1u);
  for (std::uint32_t id = 2; id <= 7; ++id) {
    EXPECT_EQ(LogOf(cluster.core(id)), "1/1 2/1 3/1 4/4 5/4 6/5 7/5 8/6 9/6 10/6 11/8") << id;
    EXPECT_EQ(cluster.core(id).commit_index(), LogIndex(11)) << id;
  }
}

TEST(RaftReplication, AFollowerRefusesWhatDoesNotFitItsLog) {
  RaftCluster cluster;
  cluster.Add(2, StateWith(kThree, LogOfTerms({1, 1, 2}), 3));
  cluster.Step(2, From(1, 2, 3, Append(5, 3, {MakeEntry(6, 3)})));
  auto replies = Take<AppendReply>(cluster);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_FALSE(replies[0].second.is_success);
  EXPECT_EQ(replies[0].second.hint_index, LogIndex(3)) << "its log ends there";
  cluster.Step(2, From(1, 2, 3, Append(3, 1, {MakeEntry(4, 3)})));
  replies = Take<AppendReply>(cluster);
  EXPECT_FALSE(replies[0].second.is_success);
  EXPECT_EQ(replies[0].second.hint_index, LogIndex(2)) << "the whole later term is skipped";
  EXPECT_EQ(LogOf(cluster.core(2)), "1/1 2/1 3/2");
}

TEST(RaftReplication, ALateShorterMessageDoesNotShortenTheLog) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.Step(2, From(1, 2, 1, Append(0, 0, LogOfTerms({1, 1, 1}))));
  cluster.Step(2, From(1, 2, 1, Append(0, 0, LogOfTerms({1}))));
  cluster.Step(2, From(1, 2, 1, Append(1, 1, {})));
  EXPECT_EQ(LogOf(cluster.core(2)), "1/1 2/1 3/1");
}

TEST(RaftReplication, ARealConflictReplacesTheTail) {
  RaftCluster cluster;
  cluster.Add(2, StateWith(kThree, LogOfTerms({1, 1, 1, 1}), 1));
  cluster.Step(2, From(1, 2, 2, Append(1, 1, {MakeEntry(2, 1, "e2.1"), MakeEntry(3, 2)})));
  EXPECT_EQ(LogOf(cluster.core(2)), "1/1 2/1 3/2");
  EXPECT_EQ(cluster.node(2).disk_entries.size(), 3u);
}

TEST(RaftReplication, NothingCommittedIsEverReplaced) {
  RaftCluster cluster;
  cluster.Add(2, StateWith(kThree, LogOfTerms({1, 1, 1}), 1));
  cluster.Step(2, From(1, 2, 1, Append(3, 1, {}, 2)));
  ASSERT_EQ(cluster.core(2).commit_index(), LogIndex(2));
  cluster.queue().clear();
  cluster.Step(2, From(3, 2, 2, Append(1, 1, {MakeEntry(2, 2)})));
  EXPECT_EQ(LogOf(cluster.core(2)), "1/1 2/1 3/1");
  EXPECT_TRUE(Take<AppendReply>(cluster).empty());
}

TEST(RaftReplication, AFollowerCommitsOnlyWhatTheMessageVouchesFor) {
  RaftCluster cluster;
  // Entry 3 is a stale tail; the new leader has another one there.
  cluster.Add(2, StateWith(kThree, LogOfTerms({1, 1, 2}), 3));
  cluster.Step(2, From(1, 2, 3, Append(2, 1, {}, 3)));
  EXPECT_EQ(cluster.core(2).commit_index(), LogIndex(2));
  cluster.Step(2, From(1, 2, 3, Append(2, 1, {MakeEntry(3, 3)}, 3)));
  EXPECT_EQ(cluster.core(2).commit_index(), LogIndex(3));
  EXPECT_EQ(LogOf(cluster.core(2)), "1/1 2/1 3/3");
}

TEST(RaftReplication, MalformedEntriesAreRefused) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.Step(2, From(1, 2, 1, Append(0, 0, {MakeEntry(2, 1)})));  // a gap
  cluster.Step(2, From(1, 2, 1, Append(0, 0, {MakeEntry(1, 2)})));  // of the future
  cluster.Step(2, From(1, 2, 3, Append(0, 0, {MakeEntry(1, 3), MakeEntry(2, 2)})));  // backwards
  EXPECT_EQ(LogOf(cluster.core(2)), "");
  EXPECT_TRUE(Take<AppendReply>(cluster).empty());
}

TEST(RaftReplication, AnAcknowledgementWaitsForTheDisk) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.node(2).hold_disk = true;
  cluster.Step(2, From(1, 2, 1, Append(0, 0, LogOfTerms({1, 1}))));
  EXPECT_TRUE(Take<AppendReply>(cluster).empty());
  cluster.PersistAll(2);
  const auto replies = Take<AppendReply>(cluster);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_TRUE(replies[0].second.is_success);
  EXPECT_EQ(replies[0].second.index, LogIndex(2));
}

TEST(RaftReplication, ADoubleThatOvertakesTheDiskIsAcknowledgedForWhatIsDurable) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.Step(2, From(1, 2, 1, Append(0, 0, LogOfTerms({1}))));
  cluster.node(2).hold_disk = true;
  cluster.Step(2, From(1, 2, 1, Append(1, 1, {MakeEntry(2, 1)})));
  cluster.queue().clear();
  cluster.Step(2, From(1, 2, 1, Append(1, 1, {MakeEntry(2, 1)})));
  const auto replies = Take<AppendReply>(cluster);
  ASSERT_EQ(replies.size(), 1u);
  EXPECT_EQ(replies[0].second.index, LogIndex(1));
}

// Entry 2 is written, truncated by another leader and written again; the report about the first
// write arrives when the second and third are still on their way.
TEST(RaftReplication, ALateReportAboutATruncatedEntryIsNoAcknowledgement) {
  RaftCluster cluster;
  cluster.Add(2, kThree);
  cluster.Step(2, From(1, 2, 1, Append(0, 0, {MakeEntry(1, 1, "e1.1")})));
  cluster.node(2).hold_disk = true;
  cluster.Step(2, From(1, 2, 1, Append(1, 1, {MakeEntry(2, 1, "a")})));  // A
  cluster.Step(2, From(3, 2, 2, Append(1, 1, {MakeEntry(2, 2, "b")})));  // B truncates A
  cluster.PersistOne(2);                                                 // A is durable, and gone
  cluster.queue().clear();
  cluster.Step(2, From(3, 2, 2, Append(2, 2, {})));
  for (const auto& [m, reply] : Take<AppendReply>(cluster)) EXPECT_LT(reply.index, LogIndex(2));
  // And back to A's entry, by a third leader that has it: same index and term as A.
  cluster.Step(2, From(1, 2, 3, Append(1, 1, {MakeEntry(2, 1, "a"), MakeEntry(3, 3, "c")})));  // C
  Persisted late;  // a driver that reports A once more, as late as can be
  late.last_index = LogIndex(2);
  late.last_term = Term(1);
  late.hard_state = HardState{Term(1), NodeId()};
  cluster.Step(2, late);
  cluster.queue().clear();
  cluster.Step(2, From(1, 2, 3, Append(2, 1, {})));
  for (const auto& [m, reply] : Take<AppendReply>(cluster)) EXPECT_LT(reply.index, LogIndex(2));
  cluster.PersistAll(2);
  cluster.queue().clear();
  cluster.Step(2, From(1, 2, 3, Append(3, 3, {})));
  EXPECT_EQ(Take<AppendReply>(cluster)[0].second.index, LogIndex(3));
}

TEST(RaftReplication, ANewLeaderDoesNotCountALateReportOfItsTimeAsFollower) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1}), 1));
  cluster.node(1).hold_disk = true;
  cluster.Step(1, From(3, 1, 1, Append(1, 1, {MakeEntry(2, 1)})));  // A, on its way to the disk
  cluster.Step(1, From(2, 1, 2, Append(1, 1, {MakeEntry(2, 2)})));  // truncated
  MakeLeader(cluster);                                              // term 3: entry 3
  Persisted late;
  late.last_index = LogIndex(3);
  late.last_term = Term(1);
  late.hard_state = HardState{Term(1), NodeId()};
  cluster.Step(1, late);
  cluster.Step(1, From(2, 1, 3, Success(3, 1)));
  EXPECT_LT(cluster.core(1).commit_index(), LogIndex(3));
}

TEST(RaftReplication, AnAcknowledgementCountsForTheIndexItNames) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  cluster.Step(1, From(2, 1, 1, Success(1, 1)));
  ASSERT_TRUE(cluster.Propose(1, "a"));
  ASSERT_TRUE(cluster.Propose(1, "b"));
  // Both are sent; the answer to the last message says that the disk has the first of them.
  cluster.Step(1, From(2, 1, 1, Success(2, 4)));
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(2));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(2));
}

TEST(RaftReplication, LateRefusalsMoveNothing) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1, 1, 1}), 1));
  MakeLeader(cluster);
  cluster.Step(1, From(2, 1, 2, Success(4, 1)));
  ASSERT_EQ(cluster.core(1).commit_index(), LogIndex(4));
  cluster.queue().clear();
  for (int i = 0; i < 3; ++i) {
    cluster.Step(1, From(2, 1, 2, Refusal(3, 0, 0, 1)));  // of a message before the success
  }
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(4));
  EXPECT_TRUE(Take<AppendRequest>(cluster).empty());
}

TEST(RaftReplication, AcknowledgementsOfStrangersCountForNothing) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  cluster.Step(1, From(9, 1, 1, Success(1, 1)));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0));
  EXPECT_EQ(cluster.core(1).Peers().size(), 2u);
}

TEST(RaftReplication, AnAcknowledgementBeyondTheLogIsIgnored) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  cluster.Step(1, From(2, 1, 1, Success(99, 1)));
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(0));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(0));
}

TEST(RaftReplication, ANewRunOfAPeerMustAcknowledgeAnew) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  cluster.Step(1, From(2, 1, 1, Success(1, 1)));
  ASSERT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(1));
  cluster.queue().clear();
  cluster.Step(1, PeerRestarted{NodeId(2)});
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(0));
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(1)) << "what is committed stays";
  const auto probes = Take<AppendRequest>(cluster);
  ASSERT_EQ(probes.size(), 1u);
  cluster.Step(1, From(2, 1, 1, Success(1, 1)));  // of the run before
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(0));
  cluster.Step(1, From(2, 1, 1, Success(1, probes[0].second.sequence)));
  EXPECT_EQ(cluster.core(1).Peers()[0].match_index, LogIndex(1));
}

TEST(RaftReplication, LostMessagesAreNoticedByTheNextHeartbeat) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.is_dropped = [](const Message& m) { return m.to == NodeId(3); };
  const auto index = cluster.Propose(1, "a");
  cluster.Deliver();
  ASSERT_LT(cluster.core(3).last_log_index(), *index);
  cluster.is_dropped = [](const Message&) { return false; };
  cluster.Advance(absl::Milliseconds(110));
  EXPECT_EQ(cluster.core(3).commit_index(), *index);
}

TEST(RaftReplication, WhatIsInFlightToOnePeerIsBounded) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.is_dropped = [](const Message& m) { return m.to == NodeId(3); };
  cluster.Deliver();
  const Options& options = cluster.node(1).options;
  std::size_t sent = 0;
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(cluster.Propose(1, "x"));
    for (const Message& m : cluster.queue()) {
      const auto* append = std::get_if<AppendRequest>(&m.body);
      sent += m.to == NodeId(3) && append != nullptr && !append->entries.empty() ? 1 : 0;
    }
    cluster.Deliver();
  }
  EXPECT_EQ(sent, options.in_flight_messages_max);
  EXPECT_EQ(cluster.core(2).commit_index(), cluster.core(1).last_log_index()) << "no one waits";
}

TEST(RaftReplication, OneMessageCarriesABoundedNumberOfBytes) {
  RaftCluster cluster;
  std::vector<Entry> entries;
  const std::string block(std::size_t{400} << 10, 'x');
  for (std::uint64_t i = 1; i <= 10; ++i) entries.push_back(MakeEntry(i, 1, block));
  cluster.Add(1, StateWith(kThree, entries, 1));
  cluster.Add(2, kThree);
  std::size_t largest = 0;
  cluster.is_dropped = [&](const Message& m) {
    std::size_t bytes = 0;
    if (const auto* append = std::get_if<AppendRequest>(&m.body)) {
      for (const Entry& entry : append->entries) bytes += entry.bytes();
    }
    largest = std::max(largest, bytes);
    return false;
  };
  cluster.Elect(1);
  cluster.Advance(absl::Milliseconds(200));
  EXPECT_EQ(cluster.core(2).commit_index(), LogIndex(11));
  EXPECT_GT(largest, std::size_t{800} << 10);
  EXPECT_LE(largest, std::size_t{1} << 20);
}

TEST(RaftReplication, ProposalsBeyondTheBoundAreRejectedAndDoNothing) {
  RaftCluster cluster;
  cluster.Add(1, kThree);
  MakeLeader(cluster);
  const std::string block(std::size_t{16} << 20, 'x');
  int accepted = 0;
  for (int i = 0; i < 10; ++i) accepted += cluster.Propose(1, block) ? 1 : 0;
  EXPECT_EQ(accepted, 3) << "64 MiB with the first entry of the term and the heads";
  EXPECT_EQ(cluster.node(1).rejected.back().reason, RejectReason::kOverloaded);
  EXPECT_EQ(cluster.core(1).last_log_index(), LogIndex(4));
}

TEST(RaftReplication, OnlyLeadersTakeProposals) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  EXPECT_FALSE(cluster.Propose(2, "a"));
  EXPECT_EQ(cluster.node(2).rejected.back().reason, RejectReason::kNotLeader);
}

TEST(RaftReplication, MergedOutputsWriteWhatTheLastOneLeaves) {
  Output first;
  first.hard_state = HardState{Term(1), NodeId(1)};
  first.entries = LogOfTerms({1, 1, 1});
  Output later;
  later.hard_state = HardState{Term(2), NodeId()};
  later.entries = {MakeEntry(2, 2)};
  first.Merge(std::move(later));
  ASSERT_EQ(first.entries.size(), 2u);
  EXPECT_EQ(first.entries[1].term, Term(2));
  EXPECT_EQ(first.hard_state->term, Term(2));
}

TEST(RaftReplication, MergedOutputsSpeakOnceToEachMember) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  RaftCore& leader = cluster.core(1);
  Output all = leader.Step(cluster.now(), consensus::Propose{1, Command("a")});
  all.Merge(leader.Step(cluster.now(), consensus::Propose{2, Command("b")}));
  all.Merge(leader.Step(cluster.now(), consensus::Propose{3, Command("c")}));
  ASSERT_EQ(all.messages.size(), 2u);
  const auto& append = std::get<AppendRequest>(all.messages[0].body);
  EXPECT_EQ(append.previous_index, LogIndex(1));
  ASSERT_EQ(append.entries.size(), 3u);
  EXPECT_EQ(append.entries[2].index, LogIndex(4));
  RaftCore& follower = cluster.core(2);
  Output reply = follower.Step(cluster.now(), Receive{all.messages[0]});
  reply.Merge(follower.Step(cluster.now(), Receive{all.messages[0]}));
  ASSERT_EQ(reply.messages_after_persist.size(), 1u);
  EXPECT_EQ(std::get<AppendReply>(reply.messages_after_persist[0].body).index, LogIndex(4));
}

TEST(RaftSnapshot, APeerBehindTheLogGetsASnapshotOnce) {
  RaftCluster cluster(kThree);
  cluster.Elect(1);
  cluster.Crash(3);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(cluster.Propose(1, "x"));
  cluster.Deliver();
  const LogIndex cut = cluster.core(1).commit_index();
  cluster.Step(1, CutLog{cut});
  cluster.Restart(3);
  cluster.Advance(absl::Milliseconds(500));
  ASSERT_EQ(cluster.node(1).snapshots_wanted.size(), 1u);
  EXPECT_EQ(cluster.node(1).snapshots_wanted[0], NodeId(3));
  EXPECT_TRUE(cluster.core(1).Peers()[1].is_sending_snapshot);
  // A failure is tried again, not at once but at the next heartbeat.
  cluster.Step(1, SnapshotSent{NodeId(3), LogIndex()});
  EXPECT_EQ(cluster.node(1).snapshots_wanted.size(), 1u);
  cluster.Advance(absl::Milliseconds(60));
  ASSERT_EQ(cluster.node(1).snapshots_wanted.size(), 2u);
  cluster.Step(
      3, SnapshotInstalled{cut, cluster.core(1).TermAt(cut), cluster.core(1).ConfigurationAt(cut)});
  cluster.Step(1, SnapshotSent{NodeId(3), cut});
  const auto index = cluster.Propose(1, "after");
  cluster.Advance(absl::Milliseconds(110));
  EXPECT_EQ(cluster.core(3).commit_index(), *index);
  EXPECT_EQ(cluster.core(3).first_log_index(), cut.Next());
}

TEST(RaftSnapshot, KeepsTheTailThatFitsAndDropsTheOneThatDoesNot) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, LogOfTerms({1, 1, 2, 2}), 2));
  cluster.Step(1, SnapshotInstalled{LogIndex(3), Term(2), kThree});
  EXPECT_EQ(LogOf(cluster.core(1)), "4/2");
  EXPECT_EQ(cluster.core(1).commit_index(), LogIndex(3));
  cluster.Add(2, StateWith(kThree, LogOfTerms({1, 1, 1, 1}), 2));
  cluster.Step(2, SnapshotInstalled{LogIndex(3), Term(2), kThree});
  EXPECT_EQ(LogOf(cluster.core(2)), "");
  EXPECT_EQ(cluster.core(2).last_log_index(), LogIndex(3));
  EXPECT_EQ(cluster.core(2).TermAt(LogIndex(3)), Term(2));
}

TEST(RaftSnapshot, AnOldOneChangesNothing) {
  RaftCluster cluster;
  InitialState initial = StateWith(kThree, LogOfTerms({1, 1, 2, 2}), 2);
  initial.applied_index = LogIndex(3);
  cluster.Add(1, std::move(initial));
  cluster.Step(1, CutLog{LogIndex(2)});
  cluster.Step(1, SnapshotInstalled{LogIndex(1), Term(1), Configuration()});
  cluster.Step(1, SnapshotInstalled{LogIndex(3), Term(1), Configuration()});  // contradicts
  EXPECT_EQ(LogOf(cluster.core(1)), "3/2 4/2");
  EXPECT_EQ(cluster.core(1).configuration(), kThree);
}

TEST(RaftSnapshot, ItsTermIsTheMembersTermAtLeast) {
  RaftCluster cluster;
  cluster.Add(1, StateWith(kThree, {}, 2));
  cluster.Step(1, SnapshotInstalled{LogIndex(9), Term(5), kThree});
  EXPECT_EQ(cluster.core(1).term(), Term(5));
  InitialState restarted;  // the crash came before that term was stored
  restarted.hard_state = HardState{Term(2), NodeId(3)};
  restarted.base_index = LogIndex(9);
  restarted.base_term = Term(5);
  restarted.base_configuration = kThree;
  restarted.applied_index = LogIndex(9);
  cluster.Add(2, std::move(restarted));
  EXPECT_EQ(cluster.core(2).term(), Term(5));
  EXPECT_EQ(cluster.node(2).disk_hard_state, (HardState{Term(5), NodeId()}));
}

TEST(RaftLog, CutsOnlyWhatIsCommitted) {
  RaftCluster cluster;
  InitialState initial = StateWith(kThree, LogOfTerms({1, 1, 2, 2}), 2);
  initial.applied_index = LogIndex(2);
  cluster.Add(1, std::move(initial));
  cluster.Step(1, CutLog{LogIndex(4)});
  EXPECT_EQ(cluster.core(1).first_log_index(), LogIndex(3));
  EXPECT_EQ(cluster.core(1).TermAt(LogIndex(2)), Term(1));
  EXPECT_EQ(cluster.core(1).log_bytes(), 2 * (32 + 4));
}

}  // namespace
}  // namespace dfs::consensus
