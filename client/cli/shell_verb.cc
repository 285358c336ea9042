// shell: the verbs at a prompt, or line by line from standard input.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "client/cli/command_line.h"
#include "client/cli/line_source.h"
#include "client/cli/state_folder.h"
#include "client/cli/verb_shape.h"
#include "client/cli/verbs.h"

namespace dfs::client::cli {
namespace {

constexpr std::uint64_t kNamesMax = 200;

// Empty: there is no such place.
std::string HistoryPath() {
  const std::string folder = StateFolder();
  return folder.empty() ? "" : folder + "/history";
}

class Shell {
 public:
  Shell(Session& session, bool keeps_going, std::vector<FlagShape> global)
      : session_(session), keeps_going_(keeps_going), global_(std::move(global)), verbs_(ShapesOfVerbs()) {}

  int Run() {
    const bool is_person = ::isatty(STDIN_FILENO) == 1 && ::isatty(STDERR_FILENO) == 1;
    auto lines = is_person ? EditedLines(HistoryPath(), [this](std::string_view line) { return CompleteHere(line); })
                           : PlainLines();
    if (lines == nullptr) lines = PlainLines();
    int last_failure = kExitOk;
    int last = kExitOk;
    while (const auto line = lines->Next()) {
      const auto words = SplitWords(*line);
      if (!words.ok()) {
        last = session_.Fail(words.status());
      } else if (words->empty()) {
        continue;
      } else if ((*words)[0] == "exit" || (*words)[0] == "quit") {
        break;
      } else {
        last = RunLine(*words);
      }
      if (last != kExitOk) last_failure = last;
      if (last != kExitOk && !is_person && !keeps_going_) return last;
    }
    return is_person ? last : last_failure;
  }

 private:
  // The shell's own flags count where the line says nothing else.
  [[nodiscard]] std::vector<std::string> WithOwnFlags(const std::vector<std::string>& words) const {
    std::vector<std::string> out;
    for (const auto& [verb, setting] : session_.flags().settings) {
      if (!verb.empty() || setting.origin != "flag") continue;
      const bool is_said = std::any_of(words.begin(), words.end(), [&flag = setting.flag](const std::string& word) {
        return word == flag || word.starts_with(flag + "=");
      });
      if (!is_said) out.push_back(setting.flag + "=" + setting.value);
    }
    out.insert(out.end(), words.begin(), words.end());
    return out;
  }

  int RunLine(const std::vector<std::string>& words) {
    const CommandLine line = ParseCommandLine(WithOwnFlags(words));
    session_.Print(line.output);
    if (!line.run && line.error.empty()) return line.exit_code;
    if (!line.run) return session_.Fail(absl::InvalidArgumentError(line.error));
    if (line.flags.is_shell) return session_.Fail(absl::InvalidArgumentError("this is a shell already"));
    auto session = Session::MakeBeside(session_, line.flags);
    if (!session.ok()) return session_.Fail(session.status());
    return (*session)->Finish(line.run(**session));
  }

  Completion CompleteHere(std::string_view line) {
    NameSources names;
    names.remote = [this](const std::string& begin) {
      std::vector<std::string> out;
      ListOptions options;
      options.prefix = begin;
      options.limit = kNamesMax;
      session_.client()
          .List(options, [&out](const v1::FileInfo& file) { out.push_back(file.name()); })
          .IgnoreError();  // then there is nothing to choose from
      return out;
    };
    names.nodes = [this] {
      std::vector<std::string> out;
      const auto members = session_.client().Members();
      for (int i = 0; members.ok() && i < members->nodes_size(); ++i) out.push_back(members->nodes(i).name());
      return out;
    };
    return Complete(line, verbs_, global_, names);
  }

  Session& session_;
  const bool keeps_going_;
  const std::vector<FlagShape> global_;
  const std::vector<VerbShape> verbs_;
};

}  // namespace

Verb ShellVerb() {
  return {"shell",
          {},
          "shell",
          "the same verbs at a prompt, with history and completion; or a line each from standard input",
          {"dfs-cli shell", "dfs-cli --bucket=photos shell", "dfs-cli shell --keep-going"},
          [](CLI::App& app) -> RunVerb {
            auto keeps_going = std::make_shared<bool>(false);
            app.add_flag("--keep-going", *keeps_going,
                         "not at a terminal: go on after a line that failed (its exit status is kept)");
            return [keeps_going, &app](Session& session) {
              return Shell(session, *keeps_going, FlagsOf(*app.get_parent())).Run();
            };
          }};
}

}  // namespace dfs::client::cli
