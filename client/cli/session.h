// What every verb works with: the flags that all share, the client, and where words go.
#ifndef DFS_CLIENT_CLI_SESSION_H_
#define DFS_CLIENT_CLI_SESSION_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "client/cli/exit_code.h"
#include "client/cli/json.h"
#include "client/file_client.h"
#include "common/flag_sources.h"

namespace dfs::client::cli {

struct GlobalFlags {
  std::string endpoints = "127.0.0.1:7710";
  std::string bucket;
  std::string writer;  // empty: USER@HOST
  std::string timeout = "30s";
  int retries = 63;
  bool is_json = false;
  bool is_quiet = false;
  bool shows_progress = false;  // -P: also if standard error is no terminal
  bool has_no_color = false;
  bool is_human = false;
  TlsFiles tls;
  std::string config;
  // What `config show` prints: by verb (empty: of all verbs).
  std::vector<std::pair<std::string, FlagValue>> settings;
  bool is_shell = false;  // the verb is shell
  bool is_local = false;  // the verb asks no server: addresses and certificates are not looked at
};

// Data goes to standard output, every other word to standard error. Not thread-safe.
class Session {
 public:
  // kInvalidArgument if a flag is malformed; kUnauthenticated if the certificate is not valid now.
  static absl::StatusOr<std::unique_ptr<Session>> Make(const GlobalFlags& flags);

  // The same, on the connections of `other` if the flags want the same of them.
  static absl::StatusOr<std::unique_ptr<Session>> MakeBeside(const Session& other, const GlobalFlags& flags);

  [[nodiscard]] const GlobalFlags& flags() const { return flags_; }
  [[nodiscard]] FileClient& client() { return *client_; }
  // What --bucket means.
  [[nodiscard]] std::string bucket() const { return flags_.bucket.empty() ? "default" : flags_.bucket; }
  [[nodiscard]] bool is_json() const { return flags_.is_json; }
  [[nodiscard]] bool is_quiet() const { return flags_.is_quiet; }
  [[nodiscard]] bool has_color() const { return has_color_; }

  // To standard output. A failed write is remembered: see Finish.
  void Print(std::string_view text);
  void PrintJson(const Json& json);
  // What was printed goes out now. A failure is remembered.
  static void Flush();
  // Whether nothing that was printed has been lost: nobody reads what is printed from then on (`| head`).
  [[nodiscard]] static bool CanPrint();
  // To standard error, unless -q or --json.
  void Say(const std::string& text) const;
  // "consistency": "eventual" beside what such an answer says.
  [[nodiscard]] Json Labelled(Json answer) const {
    if (client_->has_eventual_answer()) answer["consistency"] = "eventual";
    return answer;
  }
  // Reports an error as --json wants it, and returns the exit code. `name`: of the file it is
  // about.
  int Fail(const absl::Status& error, const std::string& name = "");
  // Flushes; `code`, or kExitLocal if standard output could not be written. Says it if a listing or a change was answered with
  // what one node knows.
  int Finish(int code);

 private:
  Session(const GlobalFlags& flags, std::shared_ptr<FileClient> client);
  [[nodiscard]] absl::Status NobodyReachable() const;

  const GlobalFlags flags_;
  const bool has_color_;
  const std::shared_ptr<FileClient> client_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_SESSION_H_
