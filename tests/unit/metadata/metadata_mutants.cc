// metadata_mutants --mutant=N: exit code 0 if and only if the tests below see the mistake N (or, with 0,
// see none in the code as it is).
#include <cstdlib>
#include <functional>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>

#include "common/mutant.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {
namespace {

// Row 15 of tests/README.md: the applied index lies in the batch of its state. A store that loses its last write must leave a
// machine that comes to the same state as its peers by applying the log from where it stands.
std::string AppliedIndexGoesWithItsState() {
  World peer;
  for (int i = 0; i < 6; ++i) peer.Put("f" + std::to_string(i % 2));
  for (std::size_t kept = 0; kept < 2 * peer.log.size(); ++kept) {
    MemoryKeyValueStore store;
    {
      MetadataMachine machine(&store);
      store.LoseWritesAfter(kept);
      for (std::size_t at = 0; at < peer.log.size(); ++at) {
        // It goes on until the power fails: what it reads may be what it lost.
        if (store.writes() > kept) break;
        machine.Apply(LogIndex(at + 1), peer.log_terms[at], peer.log[at]);
      }
    }
    MemoryKeyValueStore after_crash(store.rows());
    MetadataMachine machine(&after_crash);
    for (std::size_t at = machine.applied_index().value(); at < peer.log.size(); ++at) {
      machine.Apply(LogIndex(at + 1), peer.log_terms[at], peer.log[at]);
    }
    if (machine.View()->GetStateHash().hash != peer.machine->View()->GetStateHash().hash ||
        after_crash.rows() != peer.store.rows()) {
      return "after a crash behind write " + std::to_string(kept) + " the states differ";
    }
  }
  return "";
}

std::string TermOfTransactionIsChecked() {
  World world;
  const rpc::CommitPut put = world.PutCommand("a");
  world.term = Term(2);
  world.Put(put);
  return world.Find("a") ? "a transaction of an older term became visible" : "";
}

std::string SettledRequestNeverCounts() {
  World world;
  const rpc::CommitPut put = world.PutCommand("a");
  world.Settle(put.request_id());
  world.Put(put);
  return world.Find("a") ? "a put that was reported as failed became visible" : "";
}

std::string SetNamesAsManyAsItShould() {
  World world;
  world.Put("a", {.acks = {1, 2}});
  const int named = world.Find("a")->chunks(0).replicas_size();
  return named == 3 ? "" : "the set names " + std::to_string(named) + " nodes, not 3";
}

// R7: a good copy on a node that is OUT gives way to a good one only.
std::string MissingNeverTakesThePlaceOfAGoodCopy() {
  World world(4);
  world.Put("a", {.acks = {1, 2, 3}, .set = {1, 2, 3}});
  rpc::Command out;
  out.mutable_mark_node()->set_node_id(3);
  out.mutable_mark_node()->set_is_out(true);
  world.Apply(out);
  world.Change(world.Change(*world.Find("a"), 0, 4, api::MISSING, 3));
  const std::string replicas = ReplicasOf(world.Find("a")->chunks(0));
  return replicas == "1:OK 2:OK 3:OK" ? "" : "the set is " + replicas;
}

std::string ARetiredNodeLeavesNoEmptySet() {
  World world(2);
  world.Put("a", {.acks = {1, 2}, .set = {1, 2}});
  world.Change(world.Change(*world.Find("a"), 0, 1, api::MISSING));
  for (const std::uint32_t node : {1u, 2u}) {
    rpc::Command retire;
    retire.mutable_retire_node()->set_node_id(node);
    world.Apply(retire);
    rpc::Command step;
    step.mutable_retire_step()->set_node_id(node);
    world.Apply(step);
    if (node == 1) world.AddActiveNode();
  }
  return world.Find("a")->chunks(0).replicas_size() == 0 ? "a chunk's set is empty" : "";
}

std::string WhatAClearHidesIsInTheTrash() {
  World world;
  world.Put("a");
  world.Clear("");
  const auto violations = FindViolations(*world.machine, world.store);
  return violations.empty() ? "" : violations.front();
}

int Run(int mutant) {
  SetActiveMutant(mutant);
  std::string found;
  for (const auto& check : {AppliedIndexGoesWithItsState, TermOfTransactionIsChecked,
                            SettledRequestNeverCounts, SetNamesAsManyAsItShould,
                            MissingNeverTakesThePlaceOfAGoodCopy, ARetiredNodeLeavesNoEmptySet,
                            WhatAClearHidesIsInTheTrash}) {
    if (found.empty()) found = check();
  }
  std::cout << "mutant " << mutant << ": " << (found.empty() ? "nothing seen" : found) << std::endl;
  const bool is_expected = mutant == 0 ? found.empty() : !found.empty();
  return is_expected ? EXIT_SUCCESS : EXIT_FAILURE;
}

}  // namespace
}  // namespace dfs::metadata

int main(int argc, char** argv) {
  constexpr std::string_view kFlag = "--mutant=";
  if (argc != 2 || !std::string_view(argv[1]).starts_with(kFlag)) {
    std::cerr << "usage: metadata_mutants --mutant=N\n";
    return 2;
  }
  return dfs::metadata::Run(std::atoi(argv[1] + kFlag.size()));
}
