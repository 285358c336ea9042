// What clients ask for: drawn from the seed, over few names in few buckets, so that they meet.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_WORKLOAD_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_WORKLOAD_H_

#include <cstdint>
#include <string>
#include <vector>

#include "common/random.h"
#include "tests/simulation/system/sim_client.h"

namespace dfs::simulation {

class SimWorkload {
 public:
  // `may_lose_disks`: whoever runs the cluster does: no bucket may promise less than that one loss does no harm.
  SimWorkload(SimClient* client, bool may_lose_disks, std::uint64_t seed)
      : client_(client), may_lose_disks_(may_lose_disks), random_(seed) {}

  // The buckets beside "default", as far as they can be made.
  void MakeBuckets();
  // One operation, or two that belong together.
  void ActOnce();

  static std::vector<std::string> Buckets();
  static std::vector<std::string> NamesIn(const std::string& bucket);

 private:
  void Put(const std::string& bucket);
  void Remove(const std::string& bucket);
  void Undelete(const std::string& bucket);
  void Move(const std::string& bucket);
  void Clear(const std::string& bucket);
  void MakeBucket(const std::string& bucket);
  void RemoveBucket(const std::string& bucket);
  void Read(const std::string& bucket);
  void List(const std::string& bucket);
  [[nodiscard]] api::BucketOptions DrawOptions();
  [[nodiscard]] std::string DrawBucket();
  [[nodiscard]] std::string DrawName(const std::string& bucket);
  [[nodiscard]] DecidedChange Of(const std::string& bucket);

  SimClient* const client_;
  const bool may_lose_disks_;
  Random random_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_WORKLOAD_H_
