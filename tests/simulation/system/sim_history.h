// What clients of a run saw, what is still open, and which bytes stand for which file.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "common/wire_ids.h"
#include "tests/support/ordered_history.h"

namespace dfs::simulation {

using testing::DecidedChange;
using testing::FileVersion;
using testing::SeenRead;
using testing::SeenState;

// The bytes of file number `value` (from 1); all that a reader needs to know it by, and each byte
// depends on it.
std::string ContentOf(std::uint64_t value, std::size_t size);
// The number, or 0 if these are no such bytes.
std::uint64_t ValueOf(const std::string& content);

// What the entry decided, into the change. False: it decided nothing that is kept.
bool TakeVerdict(const rpc::CommandResult& result, DecidedChange* change);

class SimHistory {
 public:
  // A change of unknown outcome: nobody knows yet whether it is or will be in the log.
  struct Open {
    api::RequestId id;
    DecidedChange change;
  };
  struct Version {
    std::uint64_t number = 0;
    std::uint64_t value = 0;
  };
  using Name = std::pair<std::string, std::string>;  // bucket, file

  // `of_default`: what the bucket "default" promises.
  explicit SimHistory(const testing::BucketPromise& of_default) : ordered_(of_default) {}

  // A time that no other event has.
  std::int64_t Tick() { return ordered_.Tick(); }
  // With the result of the entry that decided it.
  void Record(DecidedChange change, const rpc::CommandResult& result);
  void Record(SeenRead read) { ordered_.Record(std::move(read)); }
  void RecordOpen(Open open) { open_.push_back(std::move(open)); }
  // Empties the list.
  [[nodiscard]] std::vector<Open> TakeOpen() { return std::exchange(open_, {}); }
  // The bytes that will be put: what a summary of them (size, CRC32C) stands for.
  void RecordContent(std::uint64_t value, const std::string& content);
  // Value 0: nobody put that.
  [[nodiscard]] FileVersion VersionOf(std::uint64_t number, std::uint64_t size,
                                      std::uint32_t crc) const;
  // In the order in which they were heard of.
  [[nodiscard]] const std::vector<Version>& VersionsOf(const std::string& bucket,
                                                       const std::string& name) {
    return versions_[{bucket, name}];
  }
  void RecordViolation(std::string what) { violations_.push_back(std::move(what)); }

  // kFailedPrecondition with what is wrong. A put that was told to have failed for good is not in
  // the history: a read of it is refused, and so is any state that holds it.
  [[nodiscard]] absl::Status Check(const std::optional<SeenState>& last) const;
  [[nodiscard]] std::uint64_t count() const { return ordered_.count(); }

 private:
  testing::OrderedHistory ordered_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> contents_;  // (size, CRC32C)
  std::map<Name, std::vector<Version>> versions_;
  std::vector<Open> open_;
  std::vector<std::string> violations_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_
