// What dfs-cli ends with. The numbers are part of its contract (client/README.md).
#ifndef DFS_CLIENT_CLI_EXIT_CODE_H_
#define DFS_CLIENT_CLI_EXIT_CODE_H_

#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"

namespace dfs::client::cli {

inline constexpr int kExitOk = 0;
inline constexpr int kExitOther = 1;
inline constexpr int kExitPartly = 2;
inline constexpr int kExitNotFound = 12;
inline constexpr int kExitConflict = 13;
inline constexpr int kExitPrecondition = 14;
inline constexpr int kExitNoQuorum = 15;
inline constexpr int kExitUnknownOutcome = 16;
inline constexpr int kExitUsage = 64;
inline constexpr int kExitBadData = 65;
inline constexpr int kExitLocal = 74;
inline constexpr int kExitTryAgain = 75;
inline constexpr int kExitDenied = 77;
inline constexpr int kExitUnreachable = 111;
inline constexpr int kExitInterrupted = 130;

// Each with what it means, for help and manual.
const std::vector<std::pair<int, std::string>>& ExitCodes();

int ExitCodeOf(const absl::Status& status);
// A stable word for the `type` of an error in JSON, for example "not_found".
std::string TypeOf(const absl::Status& status);
// One sentence for people: what is wrong, whether anything happened, who did not answer.
std::string SentenceOf(const absl::Status& status);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_EXIT_CODE_H_
