#include "server/node/config.h"

#include <CLI/CLI.hpp>
#include <cctype>
#include <map>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/flag_sources.h"
#include "common/status_macros.h"
#include "server/coordinator/park_limits.h"
#include "server/node/version.h"

namespace dfs::node {
namespace {

constexpr int kUsageError = 64;

// "host:port" with a port from 1 to 65,535 (or 0: any); host may be in brackets.
bool IsAddress(const std::string& address) {
  const auto colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return false;
  int port = 0;
  for (std::size_t i = colon + 1; i < address.size(); ++i) {
    if (std::isdigit(static_cast<unsigned char>(address[i])) == 0) return false;
    port = port * 10 + (address[i] - '0');
    if (port > 65'535) return false;
  }
  return true;
}

void AddDuration(CLI::App& app, const std::string& flag, absl::Duration* target,
                 const std::string& help) {
  app.add_option_function<std::string>(
         flag,
         [flag, target](const std::string& text) {
           if (!absl::ParseDuration(text, target) || *target < absl::ZeroDuration()) {
             throw CLI::ValidationError(flag, "\"" + text + "\" is not a time like 10m or 500ms");
           }
         },
         help + " (" + absl::FormatDuration(*target) + ")")
      ->type_name("TIME");
}

void AddTlsFlags(CLI::App& app, TlsFiles* files) {
  app.add_option("--tls-cert", files->cert, "this node's certificate (PEM); TLS on every port, and to every other node");
  app.add_option("--tls-key", files->key, "its key (PEM)");
  app.add_option("--tls-ca", files->ca, "who signs the certificates of this cluster (PEM)");
}

void AddRoleFlag(CLI::App& app, std::optional<rpc::NodeRole>* role) {
  static const std::map<std::string, rpc::NodeRole> kRoles = {
      {"node", rpc::ORDINARY},        {"gateway", rpc::GATEWAY_ONLY}, {"master", rpc::GATEWAY_ONLY},
      {"storage", rpc::STORAGE_ONLY}, {"replica", rpc::STORAGE_ONLY}};
  app.add_option_function<std::string>(
         "--role", [role](const std::string& name) { *role = kRoles.at(name); },
         "what this node is for, from its first start on: gateway (master) takes requests and holds no copies, storage (replica) "
         "holds copies and never votes; both need no --listen and --peer-listen (node)")
      ->check(CLI::IsMember(kRoles));
}

void AddLogFlags(CLI::App& app, Config* config) {
  static const std::map<std::string, int> kLevels = {{"info", 0}, {"warning", 1}, {"error", 2}};
  app.add_option("--v", config->log_verbosity, "what the log tells: 1, each operation of a client with its times (0)")
      ->check(CLI::Range(0, 9));
  app.add_option_function<std::string>(
         "--log-level", [config](const std::string& name) { config->log_level = kLevels.at(name); },
         "what is less than this is not written to the log (info)")
      ->check(CLI::IsMember(kLevels));
}

absl::Status CheckRequired(const Config& config) {
  for (const auto& [flag, value] : {std::pair{"--data-dir", config.data_dir}, std::pair{"--listen", config.listen},
                                    std::pair{"--peer-listen", config.peer_listen}}) {
    if (value.empty()) return absl::InvalidArgumentError(absl::StrCat(flag, " is required"));
  }
  return absl::OkStatus();
}

// Those given, and those that environment and file add.
absl::StatusOr<std::vector<std::string>> WordsOf(const CLI::App& app, std::vector<std::string> given) {
  FlagFile file;
  if (const std::string path = EarlyValueOf("config", given); !path.empty()) {
    DFS_ASSIGN_OR_RETURN(file, FlagFile::Read(path));
    DFS_RETURN_IF_ERROR(file.Check({{"", &app}}));
  }
  const auto implied = ImpliedWords(app, "", given, file);
  given.insert(given.begin(), implied.begin(), implied.end());
  return given;
}

}  // namespace

bool IsLoopback(const std::string& address) {
  const std::string host = address.substr(0, address.rfind(':'));
  return host == "localhost" || host == "[::1]" || host == "::1" || host.starts_with("127.");
}

ParsedConfig ParseConfig(int argc, char** argv) {
  ParsedConfig parsed;
  Config& config = parsed.config;
  CLI::App app("One node of a distributed file system.", "dfs-server");
  app.footer(
      "EXAMPLES\n"
      "  the first node:   dfs-server --data-dir=/var/lib/dfs --listen=127.0.0.1:7710 "
      "--peer-listen=127.0.0.1:7711 --bootstrap\n"
      "  a further node:   dfs-server --data-dir=/var/lib/dfs2 --listen=127.0.0.1:7720 "
      "--peer-listen=127.0.0.1:7721 --join=127.0.0.1:7711\n"
      "  the other of two members is lost for good, and it was the one that votes:\n"
      "                    dfs-server --data-dir=/var/lib/dfs2 … --recover-as-voter\n"
      "A data directory that already belongs to a cluster needs neither --bootstrap nor --join.\n"
      "Every flag may also come from the environment (--peer-listen from DFS_PEER_LISTEN), else from the file of "
      "--config.");
  std::string config_file;
  app.add_option("--config", config_file, "a file of lines `flag = value`, without the dashes");
  app.add_option("--data-dir,--storage-root", config.data_dir, "where this node keeps everything");
  app.add_option("--listen", config.listen, "address for clients, host:port");
  app.add_option("--peer-listen", config.peer_listen, "address for other nodes, host:port");
  AddRoleFlag(app, &config.role);
  app.add_option("--http-listen", config.http_listen,
                 "address for clients that speak HTTP, host:port (none)")
      ->envname("DFS_HTTP_LISTEN");
  app.add_option("--http-upload-limit", config.http_upload_limit,
                 "a form (POST /) of so many bytes or more is refused; K, M and G are powers of 1,024")
      ->transform(CLI::AsSizeValue(false))
      ->check(CLI::Range(std::uint64_t{1}, std::uint64_t{1} << 50))
      ->default_str("1GB");
  int http_port = -1;
  app.add_option("--http-port", http_port, "the same, on the host of --listen")
      ->check(CLI::Range(0, 65'535))
      ->excludes("--http-listen");
  app.add_option("--unix-socket", config.unix_socket,
                 "a path: clients on this machine that get large files are handed the open files there, to copy them themselves (none)");
  app.add_flag("--unix-socket-own-user", config.unix_socket_own_user,
               "also clients of this server's own user, who could change its files in any case");
  app.add_flag("--bootstrap", config.bootstrap,
               "form a new cluster, if the data directory is empty and no --join address answers");
  app.add_option("--join,--peers", config.join, "peer addresses of members, H:P,H:P…")
      ->delimiter(',');
  app.add_option("--zone", config.zone, "failure domain: replicas are spread over zones");
  app.add_option("--name", config.name, "what people call this node");
  app.add_flag("--insecure", config.insecure,
               "allow addresses that other machines reach, without encryption");
  AddTlsFlags(app, &config.tls_files);
  AddLogFlags(app, &config);
  app.add_flag("--recover-as-voter", config.recover_as_voter,
               "once, on the second of two members, when the only voter is lost for good: this node becomes the only "
               "member and voter. Refused while anything answers at the voter's or a --join address");
  AddDuration(app, "--trash-time", &config.trash_time,
              "how long removed files can be taken back (undelete); the leader's word counts");
  AddDuration(app, "--trash-time-min", &config.trash_time_min,
              "the same while a node's disk is nearly full");
  AddDuration(app, "--chunk-trash-time", &config.chunk_trash_time,
              "how long a node keeps bytes that no file needs any more before it deletes them");
  AddDuration(app, "--question-age", &config.question_age,
              "how long a put must be silent before its bytes may be collected");
  AddDuration(app, "--purge-quiet", &config.purge_quiet,
              "how long a new leader frees nothing");
  AddDuration(app, "--resume-window", &config.resume_window,
              "how long the bytes of an interrupted put are kept for dfs-cli put --resume; 0s: not at all; at most 5m");
  AddDuration(app, "--scrub-period", &config.scrub_period,
              "every stored block is read and checked at least so often");
  app.add_option("--scrub-rate", config.scrub_rate,
                 "bytes a second that this reads at most; a sixteenth of it while clients are served")
      ->check(CLI::Range(std::uint64_t{1} << 16, std::uint64_t{1} << 40))
      ->capture_default_str();
  AddDuration(app, "--collect-every", &config.collect_every, "how often garbage is looked for");
  app.add_option("--fuse-bytes-min", config.fuse_bytes_min,
                 "garbage of doubtful kinds beyond this and 5 % of what is stored waits for dfs-cli gc --confirm")
      ->capture_default_str();
  AddDuration(app, "--gossip-every", &config.gossip_every,
              "how often a node compares its gossip buckets with those of another");
  AddDuration(app, "--gossip-tombstone-age", &config.gossip_tombstone_age,
              "names removed from gossip buckets are remembered at least so long; not less than a round takes");
  AddDuration(app, "--out-after", &config.out_after,
              "how long a node is dead before its copies are made anew elsewhere");
  app.add_flag("--allow-test-faults", config.allow_test_faults,
               "this node is for tests: permit the flags --test-…")
      ->group("Tests");
  app.add_option("--test-drop-percent", config.test_drop_percent,
                 "lose so many of a hundred messages to other nodes (ring, Raft, gossip) on purpose; status warns of it")
      ->check(CLI::Range(0, 90))
      ->group("Tests");
  app.add_option_function<std::string>(
         "--test-clock-offset",
         [&config](const std::string& text) {
           if (!absl::ParseDuration(text, &config.test_clock_offset)) {
             throw CLI::ValidationError("--test-clock-offset", "\"" + text + "\" is not a time like 1h or -90s");
           }
         },
         "this node's clock on the wall is so far ahead (-90s: behind) on purpose; status warns of it")
      ->type_name("TIME")
      ->group("Tests");
  app.add_option("--rebalance-slack", config.rebalance_slack,
                 "bytes that a node may lack of its part before copies are moved to it")
      ->check(CLI::Range(std::uint64_t{0}, std::uint64_t{1} << 50))
      ->capture_default_str();
  app.set_version_flag("--version", std::string("dfs-server ") + kVersion);
  auto words = WordsOf(app, {argv + 1, argv + argc});
  if (!words.ok()) {
    std::cerr << "dfs-server: " << words.status().message() << "\n";
    parsed.exit_code = kUsageError;
    return parsed;
  }
  try {
    app.parse(std::vector<std::string>(words->rbegin(), words->rend()));  // CLI11 wants the last first
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    parsed.exit_code = code == 0 ? 0 : kUsageError;
  }
  if (parsed.exit_code < 0 && (!config.role || *config.role == rpc::ORDINARY)) {
    if (const absl::Status complete = CheckRequired(config); !complete.ok()) {
      std::cerr << "dfs-server: " << complete.message() << "\n";
      parsed.exit_code = kUsageError;
    }
  }
  if (http_port >= 0) {
    const std::string host = config.listen.empty() ? "127.0.0.1" : config.listen.substr(0, config.listen.rfind(':'));
    config.http_listen = absl::StrCat(host, ":", http_port);
  }
  return parsed;
}

absl::Status CheckConfig(const Config& config) {
  DFS_RETURN_IF_ERROR(CheckRequired(config));
  const bool is_ordinary = !config.role || *config.role == rpc::ORDINARY;
  if (!is_ordinary && (config.bootstrap || config.recover_as_voter)) {
    return absl::InvalidArgumentError(
        "a gateway or storage node joins a cluster of others: pass --join, and neither --bootstrap nor --recover-as-voter");
  }
  for (const auto& [flag, address] : {std::pair{"--listen", config.listen},
                                      std::pair{"--peer-listen", config.peer_listen},
                                      std::pair{"--http-listen", config.http_listen}}) {
    if (address.empty() && std::string_view(flag) == "--http-listen") continue;
    if (!IsAddress(address)) {
      return absl::InvalidArgumentError(
          absl::StrCat(flag, "=", address, " is not host:port, for example 127.0.0.1:7710"));
    }
    if (!IsLoopback(address) && !config.insecure && !config.tls_files.has_any()) {  // Doors::Listen locks all
      return absl::InvalidArgumentError(absl::StrCat(
          flag, "=", address,
          " can be reached from other machines: pass --tls-cert, --tls-key and --tls-ca (dfs-cli cert makes "
          "them), or use a loopback address, or pass --insecure if the network is trusted"));
    }
  }
  if (config.resume_window > coordinator::ParkLimits::kWindowMax) {
    return absl::InvalidArgumentError("--resume-window: at most 5m");
  }
  if (config.listen == config.peer_listen) {
    return absl::InvalidArgumentError("--listen and --peer-listen must differ");
  }
  if (config.http_listen == config.listen || config.http_listen == config.peer_listen) {
    return absl::InvalidArgumentError("--http-listen must differ from --listen and --peer-listen");
  }
  if (!config.unix_socket.empty() && !config.unix_socket.starts_with('/')) {
    return absl::InvalidArgumentError(
        absl::StrCat("--unix-socket=", config.unix_socket, " is no absolute path: clients run in other folders"));
  }
  for (const auto& address : config.join) {
    if (!IsAddress(address)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--join address ", address, " is not host:port"));
    }
  }
  if (config.test_drop_percent > 0 && !config.allow_test_faults) {
    return absl::InvalidArgumentError(
        "--test-drop-percent makes this node lose messages: only for tests, with --allow-test-faults");
  }
  if (config.test_clock_offset != absl::ZeroDuration() && !config.allow_test_faults) {
    return absl::InvalidArgumentError(
        "--test-clock-offset makes this node's clock wrong: only for tests, with --allow-test-faults");
  }
  if (config.name.size() > 64 || config.zone.size() > 64) {
    return absl::InvalidArgumentError("--name and --zone: at most 64 bytes");
  }
  return absl::OkStatus();
}

absl::Status LoadTls(Config* config) {
  if (!config->tls_files.has_any()) return absl::OkStatus();
  DFS_ASSIGN_OR_RETURN(config->tls, LoadTlsIdentity(config->tls_files, SystemClock().WallNow()));
  if (config->tls->own.name.role == TlsRole::kNode) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("--tls-cert=", config->tls_files.cert,
                                                 " is a client's certificate, not a node's (dfs-cli cert issue --node)"));
}

}  // namespace dfs::node
