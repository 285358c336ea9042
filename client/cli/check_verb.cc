// check disk.
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/cli/disk_check.h"
#include "client/cli/interrupt.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "client/posix_byte_stream.h"
#include "common/posix_disk.h"
#include "common/random.h"

namespace dfs::client::cli {
namespace {

struct CheckFlags {
  std::string what;
  std::string folder;
  std::string size = "256M";
};

constexpr std::uint64_t kSizeMin = std::uint64_t{1} << 20;
constexpr std::uint64_t kSizeMax = std::uint64_t{1} << 40;
constexpr char kSlow[] = "too slow for a node: every put and every change of the log waits for such syncs";

std::string Ms(double ms) { return absl::StrFormat("%.2f ms", ms); }

// The disk's own words have no number.
absl::Status AsLocalError(const absl::Status& status, const std::string& folder) {
  if (absl::IsResourceExhausted(status)) return LocalError(absl::StrCat("check (", std::string(status.message()), ")"), folder, ENOSPC);
  if (absl::IsNotFound(status)) return LocalError("check", folder, ENOENT);
  if (absl::IsPermissionDenied(status)) return LocalError("check", folder, EACCES);
  return LocalError(absl::StrCat("check (", std::string(status.message()), ")"), folder, EIO);
}

int CheckFolder(Session& session, const CheckFlags& flags) {
  std::error_code error;
  const std::filesystem::path folder = std::filesystem::canonical(flags.folder, error);
  if (error) return session.Fail(LocalError("check", flags.folder, error.value()));
  if (!std::filesystem::is_directory(folder, error)) return session.Fail(LocalError("check", flags.folder, ENOTDIR));
  DiskCheckOptions options;
  const auto bytes = ParseBytes(flags.size);
  if (!bytes.ok()) return session.Fail(bytes.status());
  if (*bytes < kSizeMin || *bytes > kSizeMax) return session.Fail(absl::InvalidArgumentError("--size is 1M to 1T"));
  options.stream_bytes = *bytes;
  const std::string path = (folder / absl::StrFormat(".dfs-check-disk-%016x", SystemRandom64())).string();
  const RemoveOnInterrupt remove(path);
  session.Say(absl::StrCat("writing ", FormatBytes(*bytes, /*is_human=*/true), " to ", folder.string(), " ..."));
  const auto result = CheckDisk(PosixDisk(), SystemClock(), path, options);
  if (!result.ok()) return session.Fail(AsLocalError(result.status(), folder.string()));

  const bool is_fast = result->is_fast_enough();
  const double seconds = absl::ToDoubleSeconds(result->stream_time);
  const auto rate = static_cast<std::uint64_t>(seconds > 0 ? static_cast<double>(result->stream_bytes) / seconds : 0);
  if (session.is_json()) {
    session.PrintJson({{"path", folder.string()},
                       {"syncs", result->syncs.count()},
                       {"sync_p50_ms", result->syncs.QuantileMs(0.5)},
                       {"sync_p99_ms", result->syncs.QuantileMs(0.99)},
                       {"sync_max_ms", result->syncs.QuantileMs(1)},
                       {"bytes_per_s", rate},
                       {"free_bytes", result->free_bytes},
                       {"is_fast_enough", is_fast}});
    return is_fast ? kExitOk : kExitOther;
  }
  session.Print(absl::StrCat("syncs of 4 KiB  ", result->syncs.count(), ": p50 ", Ms(result->syncs.QuantileMs(0.5)), ", p99 ",
                             Ms(result->syncs.QuantileMs(0.99)), ", longest ", Ms(result->syncs.QuantileMs(1)), "\n",
                             "one stream      ", FormatBytes(rate, /*is_human=*/true), "/s, synced at the end\n", "free            ",
                             FormatBytes(result->free_bytes, /*is_human=*/true), "\n",
                             is_fast ? "fast enough: p99 is not over " : "SLOW: p99 is over ",
                             Ms(absl::ToDoubleMilliseconds(kSyncP99Max)), "\n"));
  if (!is_fast) session.Say(absl::StrCat("this disk is ", kSlow));
  return is_fast ? kExitOk : kExitOther;
}

// What the nodes' own syncs took of late: of whatever size, so that a slow one need not be the disk's fault.
int CheckNodes(Session& session) {
  const auto status = session.client().Status();
  if (!status.ok()) return session.Fail(status.status());
  std::vector<std::vector<std::string>> rows = {{"ID", "NAME", "STATE", "SYNC P99", "DISK"}};
  for (const auto& node : status->nodes()) {
    const double p99_ms = node.fsync_p99_us() / 1e3;
    const bool is_known = node.fsync_p99_us() > 0;
    const bool is_fast = p99_ms <= absl::ToDoubleMilliseconds(kSyncP99Max);
    rows.push_back({std::to_string(node.node_id()), node.name(), node.state(), is_known ? Ms(p99_ms) : "",
                    !is_known ? "not known: it has stored nothing of late" : is_fast ? "fast enough"
                                                                                  : "large writes, or a slow disk: check disk FOLDER there tells"});
    if (!session.is_json()) continue;
    Json json{{"node", node.name()}, {"id", node.node_id()}, {"state", node.state()}};
    if (is_known) json["sync_p99_ms"] = p99_ms;
    if (is_known && is_fast) json["is_fast_enough"] = true;
    session.PrintJson(json);
  }
  if (!session.is_json()) session.Print(FormatTable(rows, "><<><"));
  return kExitOk;
}

}  // namespace

Verb CheckVerb() {
  return {"check",
          {},
          "check disk [FOLDER]",
          "is a disk of this machine fast enough for a node (exit 1 if not); without FOLDER: what the syncs of each node took of late",
          {"dfs-cli check disk /var/lib/dfs", "dfs-cli check disk --size=64M .", "dfs-cli check disk"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<CheckFlags>();
            app.add_option("disk", flags->what, "the word disk")->required()->check(CLI::IsMember({"disk"}));
            app.add_option("FOLDER", flags->folder, "a folder of this machine, for example that of a node to be; a file is written there and removed");
            app.add_option("--size", flags->size, "bytes to write there in one go")
                ->capture_default_str();
            return [flags](Session& session) { return flags->folder.empty() ? CheckNodes(session) : CheckFolder(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
