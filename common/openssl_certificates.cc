// Certificates by OpenSSL: reads, checks and makes them. Nothing of OpenSSL shows outside.
#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <cctype>
#include <ctime>
#include <memory>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/certificate_authority.h"
#include "common/mutant.h"
#include "common/openssl_handles.h"
#include "common/status_macros.h"
#include "common/tls_identity.h"

namespace dfs {
namespace {

constexpr std::size_t kHostsMax = 64;
constexpr std::size_t kHostBytesMax = 253;
constexpr long kVersion3 = 2;  // as X.509 counts
constexpr int kSerialBits = 127;

using openssl::Bio;
using openssl::BioOf;
using openssl::Certificate;
using openssl::Key;
using Store = openssl::Owned<X509_STORE, X509_STORE_free>;
using StoreContext = openssl::Owned<X509_STORE_CTX, X509_STORE_CTX_free>;
using Names = openssl::Owned<GENERAL_NAMES, GENERAL_NAMES_free>;
using Name = openssl::Owned<GENERAL_NAME, GENERAL_NAME_free>;
using Address = openssl::Owned<ASN1_OCTET_STRING, ASN1_OCTET_STRING_free>;
using Number = openssl::Owned<BIGNUM, BN_free>;

// What OpenSSL last complained of; empties its queue.
std::string Complaint() {
  const unsigned long first = ERR_get_error();
  ERR_clear_error();
  const char* reason = first == 0 ? nullptr : ERR_reason_error_string(first);
  return reason == nullptr ? "no reason given" : reason;
}

absl::Status Failed(const char* what) {
  return absl::InternalError(absl::StrCat("OpenSSL cannot ", what, ": ", Complaint()));
}

// All certificates of a PEM text, in order.
absl::StatusOr<std::vector<Certificate>> CertificatesOf(std::string_view what, std::string_view pem) {
  std::vector<Certificate> out;
  const Bio bio = BioOf(pem);
  while (Certificate one{PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)}) {
    out.push_back(std::move(one));
  }
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  if (out.empty() || ERR_GET_REASON(last) != PEM_R_NO_START_LINE) {
    return absl::InvalidArgumentError(
        absl::StrCat(std::string(what), " is no PEM file of certificates, or a damaged one"));
  }
  return out;
}

absl::StatusOr<Key> KeyOf(std::string_view pem) {
  const Bio bio = BioOf(pem);
  // A key that wants a password would ask the terminal: an empty one does not open it.
  Key key(PEM_read_bio_PrivateKey(
      bio.get(), nullptr, [](char*, int, int, void*) { return 0; }, nullptr));
  ERR_clear_error();
  if (key == nullptr) {
    return absl::InvalidArgumentError("the key is no PEM file of a private key without password, or a damaged one");
  }
  return key;
}

absl::Time TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return absl::InfinitePast();
  return absl::FromTimeT(::timegm(&parts));
}

std::string TextOf(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

// As gRPC writes it too.
std::string AddressText(const ASN1_OCTET_STRING* bytes) {
  constexpr int kShort = 4;
  char text[INET6_ADDRSTRLEN];
  const int size = ASN1_STRING_length(bytes);
  if (size != kShort && size != 16) return "malformed";
  const char* written = ::inet_ntop(size == kShort ? AF_INET : AF_INET6, ASN1_STRING_get0_data(bytes),
                                    text, sizeof text);
  return written == nullptr ? "malformed" : written;
}

absl::StatusOr<TlsCertificate> Describe(X509* certificate) {
  TlsCertificate out;
  out.not_before = TimeOf(X509_get0_notBefore(certificate));
  out.not_after = TimeOf(X509_get0_notAfter(certificate));
  std::vector<std::string> uris;
  const Names names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_URI) uris.push_back(TextOf(name->d.uniformResourceIdentifier));
    if (name->type == GEN_DNS) out.hosts.push_back(TextOf(name->d.dNSName));
    if (name->type == GEN_IPADD) out.hosts.push_back(AddressText(name->d.iPAddress));
  }
  DFS_ASSIGN_OR_RETURN(out.name, TlsNameOf(uris));
  return out;
}

// Dates apart: those are the handshake's, and have a message of their own.
absl::Status CheckChain(const std::vector<Certificate>& chain, const std::vector<Certificate>& roots) {
  const Store store(X509_STORE_new());
  const StoreContext context(X509_STORE_CTX_new());
  STACK_OF(X509)* between = sk_X509_new_null();
  const std::unique_ptr<STACK_OF(X509), void (*)(STACK_OF(X509)*)> owned(
      between, [](STACK_OF(X509)* stack) { sk_X509_free(stack); });
  for (std::size_t i = 1; i < chain.size(); ++i) sk_X509_push(between, chain[i].get());
  for (const auto& root : roots) X509_STORE_add_cert(store.get(), root.get());
  if (X509_STORE_CTX_init(context.get(), store.get(), chain[0].get(), between) != 1) {
    return Failed("check a certificate");
  }
  X509_VERIFY_PARAM_set_flags(X509_STORE_CTX_get0_param(context.get()), X509_V_FLAG_NO_CHECK_TIME);
  const bool is_signed = X509_verify_cert(context.get()) == 1;
  ERR_clear_error();
  if (is_signed) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "the authority (--tls-ca) has not signed the certificate: ",
      X509_verify_cert_error_string(X509_STORE_CTX_get_error(context.get()))));
}

bool AddExtension(X509* certificate, X509* issuer, int nid, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value);
  if (extension == nullptr) return false;
  const bool is_added = X509_add_ext(certificate, extension, -1) == 1;
  X509_EXTENSION_free(extension);
  return is_added;
}

bool SetSubject(X509* certificate, const std::string& cluster, const std::string& common_name) {
  X509_NAME* subject = X509_get_subject_name(certificate);
  const auto add = [subject](int nid, const std::string& text) {
    return X509_NAME_add_entry_by_NID(subject, nid, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(text.data()),
                                      static_cast<int>(text.size()), -1, 0) == 1;
  };
  return add(NID_organizationName, cluster) && add(NID_commonName, common_name);
}

bool SetSerial(X509* certificate) {
  const Number serial(BN_new());
  return serial != nullptr && BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
         BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(certificate)) != nullptr;
}

// All but names, extensions and signature.
absl::StatusOr<Certificate> BeginCertificate(EVP_PKEY* key, const Validity& validity) {
  Certificate certificate(X509_new());
  X509* const x = certificate.get();
  if (x == nullptr || X509_set_version(x, kVersion3) != 1 || !SetSerial(x) ||
      ASN1_TIME_set(X509_getm_notBefore(x), absl::ToTimeT(validity.not_before)) == nullptr ||
      ASN1_TIME_set(X509_getm_notAfter(x), absl::ToTimeT(validity.not_after)) == nullptr ||
      X509_set_pubkey(x, key) != 1) {
    return Failed("make a certificate");
  }
  return certificate;
}

absl::StatusOr<std::string> SignAndWrite(X509* certificate, EVP_PKEY* key) {
  if (X509_sign(certificate, key, EVP_sha256()) == 0) return Failed("sign a certificate");
  std::string pem = openssl::PemOf(certificate);
  if (pem.empty()) return Failed("write a certificate");
  return pem;
}

// Owns what `value` points to from here on.
bool AddName(GENERAL_NAMES* names, int type, void* value) {
  Name name(GENERAL_NAME_new());
  GENERAL_NAME_set0_value(name.get(), type, value);
  if (sk_GENERAL_NAME_push(names, name.get()) == 0) return false;
  static_cast<void>(name.release());
  return true;
}

bool AddText(GENERAL_NAMES* names, int type, const std::string& text) {
  ASN1_IA5STRING* value = ASN1_IA5STRING_new();
  return value != nullptr && ASN1_STRING_set(value, text.data(), static_cast<int>(text.size())) == 1 &&
         AddName(names, type, value);
}

absl::Status AddHost(GENERAL_NAMES* names, const std::string& host) {
  if (Address address{a2i_IPADDRESS(host.c_str())}) {
    return AddName(names, GEN_IPADD, address.release()) ? absl::OkStatus() : Failed("name an address");
  }
  ERR_clear_error();
  const bool is_name = !host.empty() && host.size() <= kHostBytesMax &&
                       std::all_of(host.begin(), host.end(), [](char c) {
                         return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-';
                       });
  if (!is_name) {
    return absl::InvalidArgumentError(absl::StrCat(
        "\"", host, "\" is neither a host name nor an IP address (without port or brackets)"));
  }
  return AddText(names, GEN_DNS, host) ? absl::OkStatus() : Failed("name a host");
}

absl::Status AddNames(X509* certificate, const TlsName& name, const std::vector<std::string>& hosts) {
  if (hosts.size() > kHostsMax) return absl::InvalidArgumentError("more than 64 addresses");
  const Names names(sk_GENERAL_NAME_new_null());
  if (!AddText(names.get(), GEN_URI, UriOf(name))) return Failed("name the holder");
  for (const auto& host : hosts) DFS_RETURN_IF_ERROR(AddHost(names.get(), host));
  if (X509_add1_ext_i2d(certificate, NID_subject_alt_name, names.get(), 0, 0) != 1) {
    return Failed("name the holder");
  }
  return absl::OkStatus();
}

std::string ClusterOf(X509* authority) {
  char text[256];
  const int size = X509_NAME_get_text_by_NID(X509_get_subject_name(authority), NID_organizationName,
                                             text, sizeof text);
  return size < 0 ? std::string() : std::string(text, static_cast<std::size_t>(size));
}

}  // namespace

absl::StatusOr<TlsCertificate> ReadTlsCertificate(std::string_view pem) {
  DFS_ASSIGN_OR_RETURN(const auto chain, CertificatesOf("the certificate", pem));
  return Describe(chain[0].get());
}

absl::StatusOr<TlsIdentity> MakeTlsIdentity(std::string certificate_pem, std::string key_pem,
                                            std::string ca_pem) {
  DFS_ASSIGN_OR_RETURN(const auto chain, CertificatesOf("the certificate", certificate_pem));
  DFS_ASSIGN_OR_RETURN(const auto roots, CertificatesOf("the authority", ca_pem));
  DFS_ASSIGN_OR_RETURN(const Key key, KeyOf(key_pem));
  if (EVP_PKEY_get_base_id(key.get()) != EVP_PKEY_EC) {
    return absl::InvalidArgumentError("the key is no ECDSA key");
  }
  const bool is_pair = X509_check_private_key(chain[0].get(), key.get()) == 1;
  ERR_clear_error();
  if (!is_pair) return absl::InvalidArgumentError("the key is not that of the certificate");
  DFS_RETURN_IF_ERROR(CheckChain(chain, roots));
  auto own = Describe(chain[0].get());
  if (!own.ok()) return absl::InvalidArgumentError(std::string(own.status().message()));
  return TlsIdentity{std::move(certificate_pem), std::move(key_pem), std::move(ca_pem), *std::move(own)};
}

absl::StatusOr<std::string> MakeKey() {
  const Key key(EVP_EC_gen("P-256"));
  const Bio bio(BIO_new(BIO_s_secmem()));
  if (key == nullptr ||
      PEM_write_bio_PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return Failed("make a key");
  }
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<std::size_t>(size));
}

absl::StatusOr<KeyAndCertificate> MakeAuthority(std::string key_pem, std::string_view cluster,
                                                const Validity& validity) {
  DFS_RETURN_IF_ERROR(CheckTlsLabel("the cluster's name", cluster));
  DFS_ASSIGN_OR_RETURN(const Key key, KeyOf(key_pem));
  DFS_ASSIGN_OR_RETURN(const Certificate made, BeginCertificate(key.get(), validity));
  X509* const x = made.get();
  // It signs holders only, no further authorities.
  if (!SetSubject(x, std::string(cluster), absl::StrCat("dfs authority of ", std::string(cluster))) ||
      X509_set_issuer_name(x, X509_get_subject_name(x)) != 1 ||
      !AddExtension(x, x, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") ||
      !AddExtension(x, x, NID_key_usage, "critical,keyCertSign,cRLSign") ||
      !AddExtension(x, x, NID_subject_key_identifier, "hash")) {
    return Failed("make an authority");
  }
  DFS_ASSIGN_OR_RETURN(std::string pem, SignAndWrite(x, key.get()));
  return KeyAndCertificate{std::move(key_pem), std::move(pem)};
}

absl::StatusOr<KeyAndCertificate> IssueCertificate(const KeyAndCertificate& authority,
                                                   std::string key_pem, const IssueOptions& options) {
  DFS_RETURN_IF_ERROR(CheckTlsLabel("the name", options.name));
  DFS_ASSIGN_OR_RETURN(const auto issuers, CertificatesOf("the authority", authority.certificate_pem));
  DFS_ASSIGN_OR_RETURN(const Key issuer_key, KeyOf(authority.key_pem));
  DFS_ASSIGN_OR_RETURN(const Key key, KeyOf(key_pem));
  X509* const issuer = issuers[0].get();
  const bool is_pair = X509_check_private_key(issuer, issuer_key.get()) == 1;
  ERR_clear_error();
  if (!is_pair) return absl::InvalidArgumentError("the authority's key is not that of its certificate");
  const TlsName name{ClusterOf(issuer), options.role, options.name};
  DFS_RETURN_IF_ERROR(CheckTlsLabel("the authority's cluster", name.cluster));
  Validity validity = options.validity;
  validity.not_after = std::min(validity.not_after, TimeOf(X509_get0_notAfter(issuer)));
  DFS_ASSIGN_OR_RETURN(const Certificate made, BeginCertificate(key.get(), validity));
  X509* const x = made.get();
  // A client's certificate does not open a server to others, whatever else is checked.
  const bool is_node = options.role == TlsRole::kNode;
  if (!SetSubject(x, name.cluster, name.name) ||
      X509_set_issuer_name(x, X509_get_subject_name(issuer)) != 1 ||
      !AddExtension(x, issuer, NID_basic_constraints, "critical,CA:FALSE") ||
      !AddExtension(x, issuer, NID_key_usage, "critical,digitalSignature") ||
      !AddExtension(x, issuer, NID_ext_key_usage, is_node ? "serverAuth,clientAuth" : "clientAuth") ||
      !AddExtension(x, issuer, NID_subject_key_identifier, "hash") ||
      !AddExtension(x, issuer, NID_authority_key_identifier, "keyid:always")) {
    return Failed("make a certificate");
  }
  DFS_RETURN_IF_ERROR(AddNames(x, name, options.hosts));
  DFS_ASSIGN_OR_RETURN(std::string pem, SignAndWrite(x, issuer_key.get()));
  return KeyAndCertificate{std::move(key_pem), std::move(pem)};
}

}  // namespace dfs
