#include "tests/support/disk_faults.h"

#include <filesystem>
#include <sstream>

namespace dfs::testing {

std::string DiskFaults::ControlFile(int n) const {
  return folder_.File("faults-of-" + std::to_string(n));
}

Environment DiskFaults::EnvironmentOf(int n) const {
  return {{"LD_PRELOAD", DFS_DISK_FAULT_PRELOAD}, {"DFS_DISK_FAULTS", ControlFile(n)}};
}

void DiskFaults::Set(int n, const std::vector<DiskFault>& faults) {
  std::ostringstream text;
  for (const auto& fault : faults) {
    text << fault.op << ' ' << fault.error << ' ' << absl::ToInt64Milliseconds(fault.delay) << ' '
         << fault.count << ' ' << fault.path << '\n';
  }
  // A new file each time, put in place as a whole: the process never reads half of it.
  const std::string fresh = folder_.File("fresh-" + std::to_string(++written_));
  WriteFile(fresh, std::move(text).str());
  std::filesystem::rename(fresh, ControlFile(n));
}

int DiskFaults::Met(int n, const std::string& op) const {
  std::istringstream lines(ReadFile(ControlFile(n) + ".met"));
  int met = 0;
  for (std::string line; std::getline(lines, line);) met += line.starts_with(op + " ") ? 1 : 0;
  return met;
}

}  // namespace dfs::testing
