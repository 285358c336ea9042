// Ten thousand puts, most of them given up in some way, while every node collects as often and as eagerly as it can: nothing
// that a version names is deleted, and in the end nothing else is left. One thread, one seed.
#include <gtest/gtest.h>

#include <array>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "common/random.h"
#include "server/leader/chunk_collector.h"
#include "server/leader/leader_host.h"
#include "tests/support/memory_chunk_store.h"
#include "tests/support/trials.h"
#include "tests/unit/leader/direct_leader_client.h"
#include "tests/unit/leader/fakes.h"

namespace dfs::leader {
namespace {

constexpr std::uint32_t kNodes = 3;
constexpr char kBytes[] = "0123456789";

class CollectionStorm : public ::testing::Test {
 protected:
  CollectionStorm() {
    world_.consensus.AddMembers(kNodes);
    LeaderOptions options;
    options.trash_time = options.purge_quiet = absl::ZeroDuration();
    options.late_copy_wait = absl::Milliseconds(50);
    LeaderWorld world = world_.Make();
    world.copy = [this](NodeId node, const rpc::CopyChunkRequest& request, absl::Duration) {
      return Copy(node, request);
    };
    host_ = std::make_unique<LeaderHost>(std::move(world), options);
    host_->OnLeading(Term(5));
    world_.executor.RunDue();
    client_ = std::make_unique<DirectLeaderClient>(host_.get(), &world_.executor, &random_);
    for (std::uint32_t n = 1; n <= kNodes; ++n) {
      ChunkCollector::Parts parts;
      parts.self = NodeId(n);
      parts.clock = &world_.clock;
      parts.store = &StoreOf(n);
      parts.catalog = &catalog_;
      parts.leader = client_.get();
      parts.own_ack = [n] { return AckOf(n); };
      // As eager as can be: also about transactions that are still open.
      parts.options.question_age = parts.options.trash_time = absl::ZeroDuration();
      collectors_.push_back(std::make_unique<ChunkCollector>(std::move(parts)));
    }
  }

  testing::MemoryChunkStore& StoreOf(std::uint32_t node) { return stores_.at(node - 1); }

  // What a node does when it is told to make a copy: "have it", else from another's disk.
  absl::StatusOr<rpc::ChunkAck> Copy(NodeId node, const rpc::CopyChunkRequest& request) {
    const ChunkId chunk = FromWire(request.chunk());
    bool has_it = StoreOf(node.value()).Vouch(chunk).ok();
    for (const std::uint32_t source : request.sources()) {
      if (!has_it && StoreOf(source).Find(chunk)) has_it = Write(node.value(), chunk);
    }
    if (!has_it) return absl::NotFoundError("no source has it");
    rpc::ChunkAck ack;
    *ack.mutable_chunk() = request.chunk();
    *ack.mutable_ack() = AckOf(node.value());
    ack.set_size(request.size());
    *ack.mutable_hash() = request.hash();
    return ack;
  }
  bool Write(std::uint32_t node, const ChunkId& chunk) {
    return StoreOf(node).Put(chunk, kBytes, std::nullopt).ok();
  }

  TxnId Open() {
    rpc::OpenTransactionsRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    request.set_bucket_id(1);
    request.set_count(1);
    Taken<rpc::OpenTransactionsResponse> taken;
    host_->OpenTransactions(request, absl::Seconds(1), taken.Callback());
    return FromWire(taken.get()->transactions(0).txn());
  }
  void Cancel(const TxnId& txn) {
    rpc::RenewTransactionsRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    *request.add_cancelled() = ToWire(txn);
    Taken<rpc::RenewTransactionsResponse> taken;
    host_->RenewTransactions(request, absl::Seconds(1), taken.Callback());
  }
  void Commit(const TxnId& txn, const std::vector<std::uint32_t>& acks) {
    rpc::Command command = PutCommand(1, ToWire(txn), acks, {1, 2, 3},
                                      "f" + std::to_string(random_.Below(200)));
    std::string session = "................";
    const std::string number = std::to_string(++puts_submitted_);
    session.replace(0, number.size(), number);
    command.mutable_commit_put()->mutable_request_id()->set_session(session);
    rpc::SubmitRequest request;
    request.set_coordinator(2);
    request.set_run_id(9);
    *request.add_commands() = std::move(command);
    host_->Submit(request, absl::Seconds(1),
                  [this](const absl::StatusOr<rpc::SubmitResponse>& response) {
                    if (response.ok() && response->results(0).error_code() == 0 &&
                        response->results(0).result().code() == rpc::CommandResult::DONE) {
                      ++committed_;
                    }
                  });
    world_.executor.RunDue();
  }

  void PutSomehow() {
    const TxnId txn = Open();
    const ChunkId chunk{txn, 0};
    const std::uint32_t left_out = 1 + static_cast<std::uint32_t>(random_.Below(6));  // 4 to 6: none
    std::vector<std::uint32_t> acks;
    for (std::uint32_t node = 1; node <= kNodes; ++node) {
      if (node == left_out) continue;
      Write(node, chunk);
      acks.push_back(node);
    }
    const auto fate = random_.Below(10);
    if (fate < 2) {
      // Its coordinator falls silent: renewed no more.
    } else if (fate < 5) {
      Cancel(txn);
    } else if (fate < 6) {
      // The acknowledgements got lost: begun again under another transaction, which the old bytes do not serve.
      Cancel(txn);
      late_.push_back(chunk);
    } else if (fate < 8) {
      world_.consensus.holds = true;  // on its way through the log for a while
      Commit(txn, acks);
    } else {
      Commit(txn, acks);
    }
    if (random_.OneIn(1, 20)) late_.push_back(chunk);
  }

  // Every copy that the log counts as good is there, and not in its node's trash.
  void CheckNothingLiveIsGone() {
    std::array<std::map<ChunkId, bool>, kNodes> held;
    for (std::uint32_t n = 1; n <= kNodes; ++n) {
      StoreOf(n).ForEach(std::nullopt, [&](const chunk::HeldChunk& row) {
        held.at(n - 1)[row.info.id] = row.is_trashed;
        return true;
      });
    }
    named_.clear();
    world_.consensus.machine().View()->ListVersions({}, [&](const rpc::VersionRow& version) {
      for (const auto& replica : version.chunks(0).replicas()) {
        const ChunkId chunk{FromWire(version.txn()), 0};
        named_[replica.node_id()].insert(chunk);
        if (replica.state() != api::OK) continue;
        const auto found = held.at(replica.node_id() - 1).find(chunk);
        const bool is_there = found != held.at(replica.node_id() - 1).end() && !found->second;
        EXPECT_TRUE(is_there) << "chunk " << chunk << " of node " << replica.node_id();
        ++copies_checked_;
      }
      return true;
    });
  }

  void NextTerm(Term term) {
    // What was on its way is decided before the next leader's first entry.
    world_.consensus.holds = false;
    world_.consensus.Release();
    host_->OnNotLeading();
    world_.executor.RunDue();
    world_.consensus.status().term = term;
    host_->OnLeading(term);
    world_.executor.RunDue();
  }

  Random random_{17};
  FakeWorld world_;
  LocalReplicaCatalog catalog_{&world_.consensus.machine()};
  std::array<testing::MemoryChunkStore, kNodes> stores_;
  std::unique_ptr<LeaderHost> host_;
  std::unique_ptr<DirectLeaderClient> client_;
  std::vector<std::unique_ptr<ChunkCollector>> collectors_;
  std::vector<ChunkId> late_;  // written again later, whatever has become of their transactions
  std::map<std::uint32_t, std::set<ChunkId>> named_;
  std::uint64_t puts_submitted_ = 0;
  int committed_ = 0;
  std::uint64_t copies_checked_ = 0;
};

TEST_F(CollectionStorm, DeletesNothingLiveAndLeavesNoOrphan) {
  const int puts = std::getenv("DFS_TEST_NIGHTLY") != nullptr ? 1'000'000 : dfs::testing::Trials(10'000);
  std::size_t removed = 0;
  for (int i = 0; i < puts; ++i) {
    PutSomehow();
    if (i % 4 == 3) {  // ten milliseconds
      world_.executor.Advance(absl::Milliseconds(10));
      const auto counts = collectors_[static_cast<std::size_t>(i / 4) % kNodes]->RunOnce();
      removed += counts.removed;
    }
    if (random_.OneIn(1, 10)) {
      world_.consensus.holds = false;
      world_.consensus.Release();
    }
    if (!late_.empty() && random_.OneIn(1, 3)) {
      const std::size_t which = random_.Below(late_.size());
      Write(1 + static_cast<std::uint32_t>(random_.Below(kNodes)), late_[which]);
      late_.erase(late_.begin() + static_cast<std::ptrdiff_t>(which));
    }
    if (i % 1'000 == 999) NextTerm(Term(static_cast<std::uint64_t>(6 + i / 1'000)));
    if (i % 200 == 199) CheckNothingLiveIsGone();
    if (HasFailure()) return;
  }
  world_.consensus.holds = false;
  world_.consensus.Release();
  world_.executor.Advance(absl::Seconds(30));  // the silent ones expire, repair makes what is missing

  // Two collections, each with its two questions; answers get lost one time in ten.
  for (int pass = 0; pass < 12; ++pass) {
    for (const auto& collector : collectors_) removed += collector->RunOnce().removed;
    world_.executor.Advance(absl::Milliseconds(10));
  }
  CheckNothingLiveIsGone();
  for (std::uint32_t n = 1; n <= kNodes; ++n) {
    StoreOf(n).ForEach(std::nullopt, [&](const chunk::HeldChunk& row) {
      EXPECT_TRUE(named_[n].contains(row.info.id)) << "orphan " << row.info.id << " on node " << n;
      return true;
    });
    world_.consensus.machine().View()->ListPurged(NodeId(n), [&](const ChunkId& chunk) {
      ADD_FAILURE() << "purge row of " << chunk << " on node " << n;
      return true;
    });
  }
  EXPECT_GT(committed_, puts / 5);
  EXPECT_GT(removed, static_cast<std::size_t>(puts));
  if (!HasFailure()) {
    std::cout << "PROVED: " << puts << " puts, " << committed_ << " of them committed, under collection: " << removed
              << " copies deleted, " << copies_checked_ << " looks at copies that count found each in place, 0 orphans"
              << std::endl;
  }
}

}  // namespace
}  // namespace dfs::leader
