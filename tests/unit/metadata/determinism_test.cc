// Random histories: invariants after each entry, and equal states on machines that applied the same log in
// different ways (rule R8).
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <set>

#include "server/metadata/bucket_rule.h"
#include "tests/support/trials.h"
#include "tests/unit/metadata/random_commands.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

constexpr int kEntries = 1'500;

std::string RequestKey(const rpc::Command& command) {
  if (command.has_commit_put()) return command.commit_put().request_id().SerializeAsString();
  if (command.has_remove_file()) return command.remove_file().request_id().SerializeAsString();
  if (command.has_move_file()) return command.move_file().request_id().SerializeAsString();
  if (command.has_make_bucket()) return command.make_bucket().request_id().SerializeAsString();
  if (command.has_clear_prefix()) return command.clear_prefix().request_id().SerializeAsString();
  return "";
}

// What one answer says about the entry that gave it.
class History {
 public:
  void Check(const World& world, const rpc::Command& command, const rpc::CommandResult& result) {
    ++codes[static_cast<int>(result.code())];
    if (result.code() == Code::DONE) ++kinds[static_cast<int>(command.kind_case())];
    CheckSameAnswer(command, result);
    const bool is_new = result.applied_index() == world.machine->applied_index().value();
    if (command.has_commit_put() && result.code() == Code::DONE && is_new) {
      CheckPut(world, command.commit_put(), result);
    }
  }
  std::map<int, int> codes;
  std::map<int, int> kinds;  // of commands that were carried out
  std::set<std::pair<NodeId, ChunkId>> released;  // copies that were let go and not unlinked yet

 private:
  void CheckPut(const World& world, const rpc::CommitPut& put, const rpc::CommandResult& result) {
    EXPECT_GT(result.version().number(), last_number_) << "invariant 7";
    last_number_ = result.version().number();
    EXPECT_EQ(put.txn().term(), world.term.value()) << "invariant 2";
    const auto view = world.machine->View();
    const auto bucket = view->FindBucket(BucketId(put.bucket_id()));
    ASSERT_TRUE(bucket && bucket->removed_index() == 0);
    const auto version = view->FindFile(BucketId(put.bucket_id()), put.name());
    ASSERT_TRUE(version);
    ASSERT_EQ(version->chunks_size(), put.chunks_size()) << "invariant 4";
    const auto set_size = EffectiveReplicas(*bucket, view->member_count());
    for (int k = 0; k < version->chunks_size(); ++k) {
      std::set<std::uint32_t> current;
      for (const rpc::Ack& ack : put.chunks(k).acks()) {
        const auto node = view->FindNode(NodeId(ack.node_id()));
        if (node && node->state() == rpc::ACTIVE && node->boot_epoch() == ack.boot_epoch()) {
          current.insert(ack.node_id());
        }
      }
      std::uint64_t ok = 0;
      for (const rpc::Replica& replica : version->chunks(k).replicas()) {
        if (replica.state() != api::OK) continue;
        ++ok;
        EXPECT_TRUE(current.contains(replica.node_id())) << "invariant 3";
      }
      EXPECT_GE(ok, EffectiveWriteQuorum(*bucket, view->member_count())) << "invariant 1";
      EXPECT_EQ(static_cast<std::uint32_t>(version->chunks(k).replicas_size()), set_size)
          << "rule R16";
    }
  }

  // Invariant 9: once stored, a result stays the answer until its session forgets it.
  void CheckSameAnswer(const rpc::Command& command, const rpc::CommandResult& result) {
    const std::string key = RequestKey(command);
    const auto code = result.code();
    if (key.empty() || (code != Code::DONE && code != Code::NOT_FOUND &&
                        code != Code::PRECONDITION_FAILED)) {
      return;
    }
    api::RequestId request;
    request.ParseFromString(key);
    const std::string id = request.session() + std::to_string(request.sequence());
    const auto [it, is_new] = answers_.emplace(id, result.SerializeAsString());
    if (!is_new) {
      EXPECT_EQ(it->second, result.SerializeAsString()) << "invariant 9";
    }
  }

  std::uint64_t last_number_ = 0;
  std::map<std::string, std::string> answers_;
};

// A history of random commands; the log is left in the world.
std::unique_ptr<World> MakeHistory(std::uint64_t seed, std::vector<std::string>* results,
                                   History* history) {
  auto world = std::make_unique<World>(1 + static_cast<std::uint32_t>(seed % 4));
  results->resize(world->log.size());  // what formed the cluster is not compared
  RandomCommands commands(seed);
  for (int i = 0; i < kEntries && !::testing::Test::HasFailure(); ++i) {
    const rpc::Command command = commands.Next(world.get());
    const auto result = world->Apply(command);
    results->push_back(result.SerializeAsString());
    history->Check(*world, command, result);
    if (i % 4 != 0 && i + 1 < kEntries) continue;  // a recount each time takes most of the time
    for (const rpc::NodeRow& node : world->machine->View()->Nodes()) {
      const NodeId id(node.node_id());
      world->machine->View()->ListReleased(id, [&](const ChunkId& chunk) {
        history->released.emplace(id, chunk);
        return true;
      });
    }
    const auto violations = FindViolations(*world->machine, world->store);
    EXPECT_TRUE(violations.empty())
        << "seed " << seed << " entry " << i << ": " << violations[0] << "\nafter "
        << command.ShortDebugString();
  }
  return world;
}

// Applies the log of `world` in batches of up to `batch_max`, with a new machine each `restart_each` batches.
void Replay(const World& world, std::uint64_t seed, std::uint64_t batch_max, int restart_each,
            const std::vector<std::string>& results) {
  MemoryKeyValueStore store;
  auto machine = std::make_unique<MetadataMachine>(&store);
  Random random(seed);
  std::size_t at = 0;
  for (int batch = 1; at < world.log.size(); ++batch) {
    std::vector<MetadataMachine::Item> items;
    for (std::uint64_t n = 1 + random.Below(batch_max); n > 0 && at < world.log.size(); --n, ++at) {
      items.push_back({LogIndex(at + 1), world.log_terms[at], world.log[at]});
    }
    const auto got = machine->ApplyAll(items);
    ASSERT_EQ(got.size(), items.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
      const std::size_t index = items[i].index.value() - 1;
      if (!results[index].empty()) {
        ASSERT_EQ(got[i].SerializeAsString(), results[index]) << index;
      }
    }
    if (restart_each > 0 && batch % restart_each == 0) {
      machine = std::make_unique<MetadataMachine>(&store);
    }
  }
  EXPECT_EQ(machine->View()->GetStateHash().hash, world.machine->View()->GetStateHash().hash);
  EXPECT_EQ(machine->View()->GetStateHash().index.value(), world.log.size());
  EXPECT_EQ(store.rows(), world.store.rows());
  if (restart_each == 0) {
    EXPECT_EQ(machine->LastCheckpoint().index, LogIndex(1'000));
    EXPECT_EQ(machine->LastCheckpoint().hash, world.machine->LastCheckpoint().hash);
  }
}

TEST(Determinism, BatchesAndRestartsDoNotMatter) {
  std::map<int, int> codes;
  std::map<int, int> kinds;
  std::size_t released = 0;
  const auto seeds = static_cast<std::uint64_t>(dfs::testing::Trials(8));
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    SCOPED_TRACE(seed);
    std::vector<std::string> results;
    History history;
    const auto world = MakeHistory(seed, &results, &history);
    if (HasFailure()) return;
    Replay(*world, seed, 1, 0, results);
    Replay(*world, seed, 64, 0, results);
    Replay(*world, seed, 7, 3, results);
    for (const auto& [code, count] : history.codes) codes[code] += count;
    for (const auto& [kind, count] : history.kinds) kinds[kind] += count;
    released += history.released.size();
  }
  const int enough = dfs::testing::Trials(20);
  EXPECT_GT(static_cast<int>(released), enough);
  // The histories reach every answer but the full session.
  for (int code = Code::DONE; code <= Code::NOT_EMPTY; ++code) {
    if (code != Code::SESSION_FULL) {
      EXPECT_GT(codes[code], 0) << Code::Code_Name(code);
    }
  }
  for (const int kind : {rpc::Command::kMarkNode, rpc::Command::kRetireNode,
                         rpc::Command::kRetireStep, rpc::Command::kChangeReplicas,
                         rpc::Command::kPurge, rpc::Command::kUnlinked, rpc::Command::kMoveFile,
                         rpc::Command::kMakeBucket, rpc::Command::kRemoveBucket}) {
    EXPECT_GT(kinds[kind], enough) << kind;
  }
}

TEST(StateHash, DiffersAfterOneOtherByte) {
  World a;
  World b;
  a.Put("name");
  rpc::CommitPut put = b.PutCommand("name");
  put.set_crc32c(78);
  b.Put(put);
  EXPECT_NE(a.machine->View()->GetStateHash().hash, b.machine->View()->GetStateHash().hash);
  EXPECT_EQ(a.machine->View()->GetStateHash().index, b.machine->View()->GetStateHash().index);
}

TEST(Machine, ReloadFindsWhatASnapshotBrought) {
  World source;
  source.Put("a");
  source.Clear("zz");
  World target(1);
  target.store.Replace(source.store.rows());
  target.machine->Reload();
  EXPECT_EQ(target.machine->applied_index(), source.machine->applied_index());
  const rpc::CommitPut put = source.PutCommand("b");
  target.time_us = source.time_us;
  EXPECT_EQ(target.Put(put).SerializeAsString(), source.Put(put).SerializeAsString());
  EXPECT_EQ(target.machine->View()->GetStateHash().hash, source.machine->View()->GetStateHash().hash);
}

TEST(Machine, OneBatchIsOneWrite) {
  World world;
  const std::string command = world.log.back();
  const std::size_t before = world.store.writes();
  const LogIndex index = world.machine->applied_index();
  const Term term = world.term;
  world.machine->ApplyAll({{index.Next(), term, command}, {index.Next().Next(), term, ""}});
  EXPECT_EQ(world.store.writes(), before + 1) << "state and applied index in one batch";
}

}  // namespace
}  // namespace dfs::metadata
