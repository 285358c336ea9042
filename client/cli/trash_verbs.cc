// undelete.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "client/cli/interrupt.h"
#include "client/cli/text.h"
#include "client/cli/verbs.h"
#include "proto/wire_status.h"

namespace dfs::client::cli {
namespace {

struct UndeleteFlags {
  std::string remote;
  std::optional<std::uint64_t> version;
  bool replaces = false;
};

int RunUndelete(Session& session, const UndeleteFlags& flags) {
  absl::StatusOr<v1::FileInfo> file;
  {
    const ChangeInProgress change;
    file = session.client().Undelete(flags.remote, flags.version, flags.replaces);
  }
  if (!file.ok()) {
    const bool exists = ReasonOf(file.status()) == v1::ErrorDetail::PRECONDITION;
    return session.Fail(exists ? ErrorWithReason(absl::StatusCode::kAlreadyExists,
                                                 "there is a file of this name; --replace puts it "
                                                 "into the trash instead",
                                                 v1::ErrorDetail::PRECONDITION)
                               : file.status(),
                        flags.remote);
  }
  if (session.is_json()) {
    session.PrintJson(JsonOf(*file));
  } else {
    session.Say("took back " + file->name() + "  " +
                FormatBytes(file->size(), session.flags().is_human) + " bytes  version " +
                std::to_string(file->version()));
  }
  return kExitOk;
}

}  // namespace

Verb UndeleteVerb() {
  return {"undelete",
          {},
          "undelete REMOTE",
          "take a removed file back, while it is in the trash (a day, less when space is short)",
          {"dfs-cli undelete report.pdf", "dfs-cli undelete --version=17 report.pdf",
           "dfs-cli undelete --replace --version=17 report.pdf"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<UndeleteFlags>();
            app.add_option("REMOTE", flags->remote, "its name in the cluster")->required();
            app.add_option("--version", flags->version,
                           "this version (default: the newest in the trash)");
            app.add_flag("--replace", flags->replaces,
                         "also if there is a file of this name: that one goes to the trash");
            return [flags](Session& session) { return RunUndelete(session, *flags); };
          }};
}

}  // namespace dfs::client::cli
