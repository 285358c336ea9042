// Random commands that hit the state more often than not: lawful ones, retries, stale and spoiled ones.
#ifndef DFS_TESTS_UNIT_METADATA_RANDOM_COMMANDS_H_
#define DFS_TESTS_UNIT_METADATA_RANDOM_COMMANDS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "tests/unit/metadata/world.h"

namespace dfs::metadata {

class RandomCommands {
 public:
  explicit RandomCommands(std::uint64_t seed) : random_(seed) {}

  // The next one for the state of `world`; may raise its term.
  rpc::Command Next(World* world);

 private:
  rpc::Command Make(World* world);
  rpc::Command Node(World* world);
  rpc::Command Departure(World* world);
  rpc::Command Put(World* world);
  rpc::Command Bucket(World* world);
  rpc::Command Change(World* world);
  // Mostly "default"; also others that are there, one that is not, and one that was removed.
  BucketId AnyBucket(World* world);
  rpc::Command Replicas(World* world);
  rpc::Command Purge(World* world);
  rpc::Command Unlink(World* world);
  api::RequestId Request(World* world);
  std::string Name();
  std::uint32_t AnyNode(World* world);

  Random random_;
  std::vector<rpc::Command> made_;  // for retries
  std::vector<std::uint64_t> next_sequence_ = std::vector<std::uint64_t>(4, 1);
  std::vector<std::uint64_t> births_ = std::vector<std::uint64_t>(4, 0);
};

}  // namespace dfs::metadata

#endif  // DFS_TESTS_UNIT_METADATA_RANDOM_COMMANDS_H_
