#include "client/cli/session.h"

#include <pwd.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <tuple>

#include "client/cli/text.h"
#include "common/status_macros.h"

namespace dfs::client::cli {
namespace {

bool WantsColor(const GlobalFlags& flags) {
  // NOLINTBEGIN(concurrency-mt-unsafe): nothing here sets variables
  const char* term = std::getenv("TERM");
  const char* no_color = std::getenv("NO_COLOR");
  // NOLINTEND(concurrency-mt-unsafe)
  return !flags.has_no_color && !flags.is_json && ::isatty(STDOUT_FILENO) == 1 &&
         (no_color == nullptr || *no_color == '\0') && term != nullptr &&
         std::string_view(term) != "dumb";
}

// "ann@desk": who asks, as far as this machine knows.
std::string OwnName() {
  std::string user = std::to_string(::getuid());
  std::array<char, 1'024> buffer{};
  passwd entry{};
  passwd* found = nullptr;
  const int error = ::getpwuid_r(::getuid(), &entry, buffer.data(), buffer.size(), &found);
  if (error == 0 && found != nullptr) user = found->pw_name;
  std::array<char, 65> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) return user;
  return user + "@" + host.data();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Session>> Session::Make(const GlobalFlags& flags) {
  DFS_ASSIGN_OR_RETURN(auto endpoints, ParseEndpoints(flags.endpoints));
  FileClientOptions options;
  if (flags.tls.has_any() && !flags.is_local) {
    DFS_ASSIGN_OR_RETURN(const TlsIdentity identity, LoadTlsIdentity(flags.tls, SystemClock().WallNow()));
    options.calls.dialer = Dialer(identity, TlsDoor::kServer);
  }
  options.bucket = flags.bucket;
  options.writer = flags.writer.empty() ? OwnName() : flags.writer;
  DFS_ASSIGN_OR_RETURN(options.calls.retry.timeout, ParseTimeout(flags.timeout));
  options.calls.retry.attempts_max = flags.retries + 1;
  return std::unique_ptr<Session>(
      new Session(flags, std::make_shared<FileClient>(std::move(endpoints), options)));
}

absl::StatusOr<std::unique_ptr<Session>> Session::MakeBeside(const Session& other, const GlobalFlags& flags) {
  const auto wanted = [](const GlobalFlags& f) {
    return std::tie(f.endpoints, f.bucket, f.writer, f.timeout, f.retries, f.tls.cert, f.tls.key, f.tls.ca);
  };
  if (wanted(flags) != wanted(other.flags_)) return Make(flags);
  return std::unique_ptr<Session>(new Session(flags, other.client_));
}

Session::Session(const GlobalFlags& flags, std::shared_ptr<FileClient> client)
    : flags_(flags), has_color_(WantsColor(flags)), client_(std::move(client)) {}

void Session::Print(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stdout); }

void Session::PrintJson(const Json& json) { Print(Line(json) + "\n"); }

void Session::Flush() { std::fflush(stdout); }

bool Session::CanPrint() { return std::ferror(stdout) == 0; }

void Session::Say(const std::string& text) const {
  if (flags_.is_quiet || flags_.is_json) return;
  std::fprintf(stderr, "%s\n", text.c_str());
}

int Session::Fail(const absl::Status& error, const std::string& name) {
  const absl::Status status = IsUnreachable(error) ? NobodyReachable() : error;
  if (flags_.is_json) {
    PrintJson(JsonOfError(status, name));
  } else {
    const std::string about = name.empty() ? "" : name + ": ";
    std::fflush(stdout);
    std::fprintf(stderr, "dfs-cli: %s%s\n", about.c_str(), SentenceOf(status).c_str());
  }
  return ExitCodeOf(status);
}

absl::Status Session::NobodyReachable() const {
  std::string addresses;
  for (const auto& address : client_->Addresses()) {
    addresses += (addresses.empty() ? "" : ", ") + address;
  }
  return Unreachable(addresses);
}

int Session::Finish(int code) {
  // A name a line, or nothing, is what scripts read: the word stands beside it.
  if (client_->has_eventual_answer()) {
    std::fflush(stdout);
    Say("(consistency=eventual)");
    client_->ForgetFreshness();
  }
  const bool is_written = std::fflush(stdout) == 0 && std::ferror(stdout) == 0;
  if (is_written || code != kExitOk) return code;
  std::fprintf(stderr, "dfs-cli: standard output could not be written\n");
  return kExitLocal;
}

}  // namespace dfs::client::cli
