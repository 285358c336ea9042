// Ports that are free, and the place of a gateway's state.
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/str_cat.h"
#include "server/node/config.h"

namespace dfs::node {
namespace {

// A socket on a free port of loopback; holds it while it lives.
class FreePort {
 public:
  FreePort() : socket_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const generic = reinterpret_cast<sockaddr*>(&address);
    if (bind(socket_, generic, size) == 0 && getsockname(socket_, generic, &size) == 0) {
      port_ = ntohs(address.sin_port);
    }
  }
  ~FreePort() {
    if (socket_ >= 0) close(socket_);
  }
  FreePort(const FreePort&) = delete;
  FreePort& operator=(const FreePort&) = delete;
  // 0: there is none.
  [[nodiscard]] int port() const { return port_; }

 private:
  const int socket_;
  int port_ = 0;
};

// Empty: nobody says where.
std::string StateFolder() {
  // NOLINTBEGIN(concurrency-mt-unsafe): before there are threads
  const char* state = std::getenv("XDG_STATE_HOME");
  const char* home = std::getenv("HOME");
  // NOLINTEND(concurrency-mt-unsafe)
  if (state != nullptr && *state != '\0') return absl::StrCat(state, "/dfs");
  return home == nullptr || *home == '\0' ? "" : absl::StrCat(home, "/.local/state/dfs");
}

}  // namespace

absl::Status CompleteConfig(Config* config) {
  if (!config->role || *config->role == rpc::ORDINARY) return absl::OkStatus();
  const FreePort clients;
  const FreePort peers;
  for (auto& [address, free] : {std::pair<std::string*, const FreePort*>{&config->listen, &clients},
                                std::pair<std::string*, const FreePort*>{&config->peer_listen, &peers}}) {
    if (!address->empty()) continue;
    if (free->port() == 0) return absl::InvalidArgumentError("no port is free: pass --listen and --peer-listen");
    *address = absl::StrCat("127.0.0.1:", free->port());
  }
  const std::string folder = StateFolder();
  if (!config->data_dir.empty() || *config->role != rpc::GATEWAY_ONLY || config->http_listen.empty() || folder.empty()) {
    return absl::OkStatus();
  }
  // The HTTP port tells one gateway from another on this machine.
  config->data_dir =
      absl::StrCat(folder, "/gateway-", config->http_listen.substr(config->http_listen.rfind(':') + 1));
  std::error_code error;
  std::filesystem::create_directories(config->data_dir, error);
  if (!error) std::filesystem::permissions(config->data_dir, std::filesystem::perms::owner_all, error);
  if (!error) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("cannot make ", config->data_dir, ": ", error.message(), "; pass --data-dir"));
}

}  // namespace dfs::node
