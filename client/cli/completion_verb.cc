// completion: scripts for shells, from the table of verbs.
#include <memory>
#include <string>

#include "client/cli/verb_shape.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {

Verb CompletionVerb() {
  return {"completion",
          {},
          "completion bash|zsh|fish",
          "a script that completes verbs, flags, names of files and of nodes",
          {"dfs-cli completion bash", "dfs-cli completion zsh", "dfs-cli completion fish"},
          [](CLI::App& app) -> RunVerb {
            auto shell = std::make_shared<std::string>();
            app.add_option("SHELL", *shell, "bash, zsh or fish")
                ->required()
                ->check(CLI::IsMember({"bash", "zsh", "fish"}));
            return [shell, &app](Session& session) {
              session.Print(CompletionScript(*shell, FlagsOf(*app.get_parent())));
              return static_cast<int>(kExitOk);
            };
          },
          /*is_local=*/true};
}

}  // namespace dfs::client::cli
