// config: what the flags are, and who said so.
#include <memory>
#include <string>
#include <vector>

#include "client/cli/text.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {
namespace {

int Show(Session& session, bool has_origin) {
  std::vector<std::vector<std::string>> rows;
  for (const auto& [verb, setting] : session.flags().settings) {
    if (session.is_json()) {
      session.PrintJson({{"status", "success"},
                         {"verb", verb},
                         {"flag", setting.flag},
                         {"value", setting.value},
                         {"origin", setting.origin},
                         {"where", setting.where}});
      continue;
    }
    std::vector<std::string> row = {(verb.empty() ? "" : verb + " ") + setting.flag, setting.value};
    if (has_origin) row.push_back(setting.origin + (setting.where.empty() ? "" : " " + setting.where));
    rows.push_back(std::move(row));
  }
  session.Print(FormatTable(rows, "<<<"));
  return kExitOk;
}

}  // namespace

Verb ConfigVerb() {
  return {"config",
          {},
          "config show [--origin]",
          "the value of each flag, and where it comes from: flag, environment, file or default",
          {"dfs-cli config show --origin", "dfs-cli --json config show"},
          [](CLI::App& app) -> RunVerb {
            auto action = std::make_shared<std::string>();
            auto has_origin = std::make_shared<bool>(false);
            app.add_option("ACTION", *action, "show")->required()->check(CLI::IsMember({"show"}));
            app.add_flag("--origin", *has_origin, "say where each value comes from");
            return [action, has_origin](Session& session) { return Show(session, *has_origin); };
          },
          /*is_local=*/true};
}

}  // namespace dfs::client::cli
