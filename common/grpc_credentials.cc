#include "common/grpc_credentials.h"

#include <glog/logging.h>
#include <grpc/support/log.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/tls_certificate_provider.h>
#include <grpcpp/security/tls_certificate_verifier.h>
#include <grpcpp/security/tls_credentials_options.h>

#include <cstdlib>
#include <functional>
#include <string_view>
#include <utility>
#include <vector>

#include "common/mutant.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

using grpc::experimental::CertificateVerifier;
using grpc::experimental::ExternalCertificateVerifier;
using grpc::experimental::StaticDataCertificateProvider;
using grpc::experimental::TlsCustomVerificationCheckRequest;

// gRPC 1.51 has no setter for the least version, but takes the ciphers of TLS 1.2 from here (those of 1.3 are apart). The
// only one left needs a key that both sides know beforehand; nobody has one, so nothing below 1.3 is ever agreed on.
void AllowOnlyTls13() {
  if (DFS_MUTANT(1062, "TLS 1.2 is agreed on")) return;
  // NOLINTNEXTLINE(concurrency-mt-unsafe): the contract of Dialer
  setenv("GRPC_SSL_CIPHER_SUITES", "PSK-AES256-GCM-SHA384", 1);
}

std::vector<std::string> StringsOf(const std::vector<grpc::string_ref>& names) {
  std::vector<std::string> out;
  for (const auto& name : names) out.emplace_back(name.data(), name.size());
  return out;
}

// Asked after the other end's certificate has been held against the authority and the clock.
class PeerVerifier final : public ExternalCertificateVerifier {
 public:
  PeerVerifier(TlsDoor door, TlsName own, bool is_dialling)
      : door_(door), own_(std::move(own)), is_dialling_(is_dialling) {}

  // Answers at once. The text of a refusal never has the word "refused": that of gRPC's is taken for a dead process.
  bool Verify(TlsCustomVerificationCheckRequest* request, std::function<void(grpc::Status)> /*callback*/,
              grpc::Status* sync_status) override {
    const absl::Status checked = Check(*request);
    if (checked.ok()) return true;
    if (door_ == TlsDoor::kServer) {
      VLOG(1) << "TLS: not accepted: " << checked.message();  // a client says it in its own words
    } else {
      LOG_EVERY_N(WARNING, 100) << "TLS: not accepted: " << checked.message();
    }
    *sync_status = grpc::Status(grpc::StatusCode::UNAUTHENTICATED, std::string(checked.message()));
    return true;
  }
  void Cancel(TlsCustomVerificationCheckRequest* /*request*/) override {}

 private:
  [[nodiscard]] absl::Status Check(const TlsCustomVerificationCheckRequest& request) const {
    DFS_ASSIGN_OR_RETURN(const TlsName peer, TlsNameOf(StringsOf(request.uri_names())));
    DFS_RETURN_IF_ERROR(CheckTlsPeer(door_, own_, peer));
    if (!is_dialling_ || DFS_MUTANT(1063, "a certificate holds for every address")) return absl::OkStatus();
    std::vector<std::string> hosts = StringsOf(request.dns_names());
    for (auto& address : StringsOf(request.ip_names())) hosts.push_back(std::move(address));
    const std::string target(request.target_name().data(), request.target_name().size());
    if (HoldsForHost(hosts, target)) return absl::OkStatus();
    return absl::UnauthenticatedError("the certificate of " + peer.name + " does not hold for " + target);
  }

  const TlsDoor door_;
  const TlsName own_;
  const bool is_dialling_;
};

std::shared_ptr<StaticDataCertificateProvider> ProviderOf(const TlsIdentity& identity) {
  const std::vector<grpc::experimental::IdentityKeyCertPair> own = {
      {identity.key_pem, identity.certificate_pem}};
  return std::make_shared<StaticDataCertificateProvider>(identity.ca_pem, own);
}

std::shared_ptr<CertificateVerifier> VerifierOf(const TlsIdentity& identity, TlsDoor door,
                                                bool is_dialling) {
  return ExternalCertificateVerifier::Create<PeerVerifier>(door, identity.own.name, is_dialling);
}

void LogOfServer(gpr_log_func_args* args) {
  const std::string_view file = args->file;
  const std::string_view text = args->message;
  if (file.find("security") == std::string_view::npos) {
    LOG(ERROR) << "gRPC: " << text;
  } else if (text.find("No match found for server name") == std::string_view::npos) {  // the verifier's to decide
    LOG_EVERY_N(WARNING, 100) << "TLS: " << text;
  }
}

void LogOfClient(gpr_log_func_args* args) {
  if (std::string_view(args->file).find("security") == std::string_view::npos) {
    LOG(ERROR) << "gRPC: " << args->message;
  } else {
    VLOG(1) << "TLS: " << args->message;
  }
}

}  // namespace

void TakeOverTlsLog(bool is_server) { gpr_set_log_function(is_server ? &LogOfServer : &LogOfClient); }

Dialer::Dialer() : credentials_(grpc::InsecureChannelCredentials()) {}

Dialer::Dialer(const TlsIdentity& identity, TlsDoor door)
    : identity_(std::make_shared<TlsIdentity>(identity)) {
  CHECK(door != TlsDoor::kClients) << "a door to come in by";
  AllowOnlyTls13();
  grpc::experimental::TlsChannelCredentialsOptions options;
  options.set_certificate_provider(ProviderOf(identity));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_certificate_verifier(VerifierOf(identity, door, /*is_dialling=*/true));
  options.set_check_call_host(false);  // the verifier does it, for certificates that name hosts
  credentials_ = grpc::experimental::TlsCredentials(options);
}

std::shared_ptr<grpc::Channel> Dialer::Dial(const std::string& address,
                                            const grpc::ChannelArguments& arguments) const {
  return grpc::CreateCustomChannel(address, credentials_, arguments);
}

std::shared_ptr<grpc::ServerCredentials> PlaintextDoor() { return grpc::InsecureServerCredentials(); }

std::shared_ptr<grpc::ServerCredentials> LockedDoor(const TlsIdentity& identity, TlsDoor door) {
  CHECK(door != TlsDoor::kServer) << "a door to dial";
  AllowOnlyTls13();
  grpc::experimental::TlsServerCredentialsOptions options(ProviderOf(identity));
  options.watch_root_certs();
  options.watch_identity_key_cert_pairs();
  options.set_cert_request_type(DFS_MUTANT(1064, "a certificate is not held against the authority")
                                    ? GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_BUT_DONT_VERIFY
                                    : GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  if (!DFS_MUTANT(1065, "whoever the authority has signed may come in")) {
    options.set_certificate_verifier(VerifierOf(identity, door, /*is_dialling=*/false));
  }
  return grpc::experimental::TlsServerCredentials(options);
}

}  // namespace dfs
