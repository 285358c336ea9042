// What clients saw, and whether any order explains it.
#ifndef DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_
#define DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "tests/support/linearizability.h"

namespace dfs::simulation {

// The bytes of file number `value` (from 1); all that a reader needs to know it by, and each byte depends on it.
std::string ContentOf(std::uint64_t value, std::size_t size);
// The number, or 0 if these are no such bytes.
std::uint64_t ValueOf(const std::string& content);

class SimHistory {
 public:
  // A time that no other event has.
  std::int64_t Tick() { return next_time_++; }
  void Record(const std::string& name, const RegisterOperation& operation) {
    operations_[name].push_back(operation);
    ++count_;
  }
  // The bytes that will be put: what a summary of them (size, CRC32C) stands for.
  void RecordContent(std::uint64_t value, const std::string& content);
  // 0: nobody put that.
  [[nodiscard]] std::uint64_t ValueOfSummary(std::uint64_t size, std::uint32_t crc) const;
  // The number under which the value was visible, for who wants to bring back just that.
  void RecordVersion(const std::string& name, std::uint64_t number, std::uint64_t value) {
    versions_[name].push_back({number, value});
  }
  // One more that is to be read at the end.
  void RecordName(const std::string& name) { names_.push_back(name); }
  [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
  struct Version {
    std::uint64_t number = 0;
    std::uint64_t value = 0;
  };
  // In the order in which they were heard of.
  [[nodiscard]] const std::vector<Version>& VersionsOf(const std::string& name) {
    return versions_[name];
  }
  void RecordViolation(std::string what) { violations_.push_back(std::move(what)); }

  // kFailedPrecondition with what is wrong. A read of a put that was told to have failed for good is refused, too: such
  // puts are not in the history.
  [[nodiscard]] absl::Status Check() const;
  [[nodiscard]] std::uint64_t count() const { return count_; }

 private:
  std::int64_t next_time_ = 1;
  std::uint64_t count_ = 0;
  std::map<std::string, std::vector<RegisterOperation>> operations_;
  std::map<std::pair<std::uint64_t, std::uint32_t>, std::uint64_t> contents_;  // (size, CRC32C)
  std::map<std::string, std::vector<Version>> versions_;
  std::vector<std::string> names_;
  std::vector<std::string> violations_;
};

}  // namespace dfs::simulation

#endif  // DFS_TESTS_SIMULATION_SYSTEM_SIM_HISTORY_H_
