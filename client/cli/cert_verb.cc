// cert: the certificates of a cluster, made and looked at on this machine.
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "client/cli/verbs.h"
#include "common/certificate_authority.h"
#include "common/clock.h"
#include "common/ids.h"
#include "common/posix_disk.h"
#include "common/random.h"
#include "common/status_macros.h"
#include "common/tls_identity.h"

namespace dfs::client::cli {
namespace {

constexpr std::int64_t kAuthorityDays = 3'650;
constexpr std::int64_t kDays = 365;
constexpr std::int64_t kDaysMax = 36'500;
// Clocks of other machines may be behind this one.
constexpr absl::Duration kBackdated = absl::Minutes(5);

struct CertFlags {
  std::string action;
  std::string name;
  std::string dir = "certs";
  std::string cluster;
  std::vector<std::string> addresses;
  std::int64_t days = 0;
  bool is_node = false;
  bool is_client = false;
};

Validity ValidityOf(const CertFlags& flags, std::int64_t days) {
  const absl::Time now = SystemClock().WallNow();
  return {now - kBackdated, now + absl::Hours(24) * (flags.days == 0 ? days : flags.days)};
}

std::string FormatDay(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

absl::StatusOr<TlsCertificate> Read(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return absl::NotFoundError("there is no file " + path + ", or it cannot be read");
  auto certificate = ReadTlsCertificate(std::string(std::istreambuf_iterator<char>(file), {}));
  if (!certificate.ok()) return absl::DataLossError(path + ": " + std::string(certificate.status().message()));
  return certificate;
}

void Print(Session& session, const std::string& path, const TlsCertificate& certificate) {
  const std::string role = certificate.name.role == TlsRole::kNode ? "node" : "client";
  if (session.is_json()) {
    session.PrintJson({{"status", "success"},
                       {"file", path},
                       {"name", certificate.name.name},
                       {"role", role},
                       {"cluster", certificate.name.cluster},
                       {"addresses", certificate.hosts},
                       {"not_before", FormatDay(certificate.not_before)},
                       {"not_after", FormatDay(certificate.not_after)}});
    return;
  }
  std::string hosts;
  for (const auto& host : certificate.hosts) hosts += (hosts.empty() ? "" : ", ") + host;
  session.Print(path + "\n  " + role + " " + certificate.name.name + " of cluster " +
                certificate.name.cluster + "\n  valid from " + FormatDay(certificate.not_before) + " to " +
                FormatDay(certificate.not_after) + "\n  at " + (hosts.empty() ? "any address" : hosts) + "\n");
}

int Init(Session& session, const CertFlags& flags) {
  const std::string cluster =
      flags.cluster.empty() ? "dfs-" + HexOf(0, SystemRandom64()).substr(16) : flags.cluster;
  CertificateFolder folder(&PosixDisk(), flags.dir);
  if (const auto made = folder.Init(cluster, ValidityOf(flags, kAuthorityDays)); !made.ok()) {
    return session.Fail(made);
  }
  if (session.is_json()) {
    session.PrintJson({{"status", "success"}, {"cluster", cluster}, {"file", folder.CaFile()}});
  } else {
    session.Print(folder.CaFile() + "\n  authority of cluster " + cluster + "\n");
  }
  session.Say("keep " + folder.KeyFile("ca") + " secret and off the nodes: whoever has it makes nodes of this cluster");
  return kExitOk;
}

int Issue(Session& session, const CertFlags& flags) {
  if (flags.name.empty() || flags.is_node == flags.is_client) {
    return session.Fail(absl::InvalidArgumentError(
        "cert issue takes a name and either --node or --client (dfs-cli help cert)"));
  }
  CertificateFolder folder(&PosixDisk(), flags.dir);
  IssueOptions options;
  options.role = flags.is_node ? TlsRole::kNode : TlsRole::kClient;
  options.name = flags.name;
  options.hosts = flags.addresses;
  options.validity = ValidityOf(flags, kDays);
  if (const auto issued = folder.Issue(options); !issued.ok()) return session.Fail(issued);
  const auto certificate = Read(folder.CertificateFile(flags.name));
  if (!certificate.ok()) return session.Fail(certificate.status());
  Print(session, folder.CertificateFile(flags.name), *certificate);
  session.Say("for " + std::string(flags.is_node ? "dfs-server" : "dfs-cli") +
              ": --tls-cert=" + folder.CertificateFile(flags.name) + " --tls-key=" +
              folder.KeyFile(flags.name) + " --tls-ca=" + folder.CaFile());
  return kExitOk;
}

int Show(Session& session, const CertFlags& flags) {
  if (flags.name.empty()) return session.Fail(absl::InvalidArgumentError("cert show takes a file"));
  const auto certificate = Read(flags.name);
  if (!certificate.ok()) return session.Fail(certificate.status());
  Print(session, flags.name, *certificate);
  return kExitOk;
}

int RunCert(Session& session, const CertFlags& flags) {
  if (flags.action == "init") return Init(session, flags);
  return flags.action == "issue" ? Issue(session, flags) : Show(session, flags);
}

}  // namespace

Verb CertVerb() {
  return {"cert",
          {},
          "cert init|issue|show [NAME]",
          "certificates for TLS: makes an authority, issues for nodes and clients, shows one",
          {"dfs-cli cert init --dir=certs --cluster=prod",
           "dfs-cli cert issue n1 --node --dir=certs --address=10.0.0.1,node1.example",
           "dfs-cli cert issue alice --client --dir=certs --days=90", "dfs-cli cert show certs/n1.crt"},
          [](CLI::App& app) -> RunVerb {
            auto flags = std::make_shared<CertFlags>();
            app.add_option("ACTION", flags->action, "init, issue or show")
                ->required()
                ->check(CLI::IsMember({"init", "issue", "show"}));
            app.add_option("NAME", flags->name, "of the node or client; show: a file");
            app.add_option("--dir", flags->dir, "where the authority and what it issues lie")->capture_default_str();
            app.add_option("--cluster", flags->cluster, "init: name of the cluster in all its certificates (default: random)");
            app.add_flag("--node", flags->is_node, "issue: for a dfs-server; it may do everything in the cluster");
            app.add_flag("--client", flags->is_client, "issue: for a dfs-cli or another client");
            app.add_option("--address", flags->addresses,
                           "issue: host names and IP addresses that it holds for (default: any)")
                ->delimiter(',');
            app.add_option("--days", flags->days, "how long it is valid (default: 3650 for init, 365 for issue)")
                ->check(CLI::Range(std::int64_t{1}, kDaysMax));
            return [flags](Session& session) { return RunCert(session, *flags); };
          },
          /*is_local=*/true};
}

}  // namespace dfs::client::cli
