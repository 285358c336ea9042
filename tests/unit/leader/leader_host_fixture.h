// A leader over the real state machine, in one thread, with short ways to ask it.
#ifndef DFS_TESTS_UNIT_LEADER_LEADER_HOST_FIXTURE_H_
#define DFS_TESTS_UNIT_LEADER_LEADER_HOST_FIXTURE_H_

#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "server/leader/leader_host.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {

class LeaderHostTest : public ::testing::Test {
 protected:
  void Lead(std::uint32_t members = 3, LeaderOptions options = {}) {
    world_.consensus.AddMembers(members);
    host_ = std::make_unique<LeaderHost>(world_.Make(), options);
    host_->OnLeading(Term(5));
    world_.executor.RunDue();
    world_.consensus.proposed.clear();
  }

  absl::StatusOr<rpc::OpenTransactionsResponse> Open(std::uint32_t count = 1,
                                                     std::vector<std::uint32_t> holders = {},
                                                     std::vector<std::uint32_t> avoid = {}) {
    rpc::OpenTransactionsRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    request.set_bucket_id(1);
    request.set_count(count);
    for (const auto node : holders) request.add_holders(node);
    for (const auto node : avoid) request.add_avoid(node);
    Taken<rpc::OpenTransactionsResponse> taken;
    host_->OpenTransactions(request, absl::Seconds(1), taken.Callback());
    return taken.get();
  }
  rpc::TxnId OpenOne() { return Open()->transactions(0).txn(); }

  Taken<rpc::SubmitResponse> Submit(const rpc::Command& command) {
    rpc::SubmitRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    *request.add_commands() = command;
    Taken<rpc::SubmitResponse> taken;
    host_->Submit(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken;
  }
  static rpc::CommandResult::Code CodeOf(const Taken<rpc::SubmitResponse>& taken) {
    EXPECT_TRUE(taken.has() && taken.get().ok());
    EXPECT_EQ(taken.get()->results(0).error_code(), 0) << taken.get()->results(0).error_message();
    return taken.get()->results(0).result().code();
  }
  static int ErrorOf(const Taken<rpc::SubmitResponse>& taken) {
    EXPECT_TRUE(taken.has() && taken.get().ok());
    return taken.get()->results(0).error_code();
  }
  // A put with two acknowledgements; the third copy is missing.
  TxnId PutTwoOfThree(std::uint64_t sequence) {
    const rpc::TxnId txn = OpenOne();
    EXPECT_EQ(CodeOf(Submit(PutCommand(sequence, txn, {1, 2}, {1, 2, 3},
                                       "f" + std::to_string(sequence)))),
              rpc::CommandResult::DONE);
    return FromWire(txn);
  }
  std::map<std::uint32_t, api::ReplicaState> StatesOf(const TxnId& txn) {
    std::map<std::uint32_t, api::ReplicaState> states;
    const auto version = world_.consensus.machine().View()->FindVersion(txn);
    if (!version) return states;
    for (const auto& replica : version->chunks(0).replicas()) {
      states[replica.node_id()] = replica.state();
    }
    return states;
  }
  void ReportLate(const TxnId& txn, std::uint64_t sequence, std::uint32_t node) {
    rpc::ReportReplicasRequest request;
    rpc::ReplicaChange& change = *request.add_changes();
    *change.mutable_chunk() = ToWire(ChunkId{txn, 0});
    *change.mutable_hash() = ToWire(Hash128{1, sequence});
    *change.mutable_ack() = AckOf(node);
    change.set_state(api::OK);
    Taken<rpc::ReportReplicasResponse> taken;
    host_->ReportReplicas(request, absl::Seconds(1), taken.Callback());
    EXPECT_TRUE(taken.get().ok());
  }
  rpc::VerdictAnswer::Verdict VerdictOn(const ChunkId& chunk, std::uint32_t node) {
    rpc::VerdictsRequest request;
    *request.mutable_node() = AckOf(node);
    *request.add_questions()->mutable_chunk() = ToWire(chunk);
    request.mutable_questions(0)->set_nonce(42);
    Taken<rpc::VerdictsResponse> taken;
    host_->Verdicts(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    EXPECT_TRUE(taken.has() && taken.get().ok());
    EXPECT_EQ(taken.get()->answers(0).nonce(), 42u);
    return taken.get()->answers(0).verdict();
  }
  absl::StatusOr<rpc::JoinResponse> Join(const rpc::JoinRequest& request) {
    Taken<rpc::JoinResponse> taken;
    host_->Join(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken.get();
  }
  absl::Status Register(const rpc::RegisterRequest& request) {
    Taken<rpc::RegisterResponse> taken;
    host_->Register(request, absl::Seconds(1), taken.Callback());
    world_.executor.RunDue();
    return taken.get().status();
  }
  static rpc::JoinRequest JoinRequestOf(std::uint32_t uuid) {
    rpc::JoinRequest request;
    *request.mutable_storage_uuid() = ToWire(UuidOf(uuid));
    request.set_name("new");
    request.set_client_address("127.0.0.1:1");
    request.set_peer_address("127.0.0.1:2");
    request.set_boot_epoch(1);
    return request;
  }

  FakeWorld world_;
  std::unique_ptr<LeaderHost> host_;
};

}  // namespace dfs::leader

#endif  // DFS_TESTS_UNIT_LEADER_LEADER_HOST_FIXTURE_H_
