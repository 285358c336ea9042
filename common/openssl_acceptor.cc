#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/openssl_handles.h"
#include "common/tls_acceptor.h"

namespace dfs {
namespace {

using openssl::Context;
using openssl::Session;

std::string LastComplaint() {
  const unsigned long last = ERR_peek_last_error();
  ERR_clear_error();
  const char* reason = last == 0 ? nullptr : ERR_reason_error_string(last);
  return reason == nullptr ? "it closed the connection" : reason;
}

int SizeOf(std::size_t bytes) { return static_cast<int>(std::min<std::size_t>(bytes, INT_MAX)); }

class Connection final : public TlsConnection {
 public:
  explicit Connection(Session session) : session_(std::move(session)) {}

  absl::StatusOr<Moved> Read(std::span<char> buffer) override {
    ERR_clear_error();
    if (session_ == nullptr) return OutOfMemory();
    return Take(SSL_read(session_.get(), buffer.data(), SizeOf(buffer.size())));
  }
  absl::StatusOr<Moved> Write(std::span<const char> bytes) override {
    ERR_clear_error();
    if (session_ == nullptr) return OutOfMemory();
    return Take(SSL_write(session_.get(), bytes.data(), SizeOf(bytes.size())));
  }
  void EndWriting() override {
    if (session_ != nullptr && SSL_is_init_finished(session_.get()) == 1) SSL_shutdown(session_.get());
    ERR_clear_error();
  }

 private:
  static absl::Status OutOfMemory() { return absl::CancelledError("no memory for another TLS connection"); }
  absl::StatusOr<Moved> Take(int done) {
    if (done > 0) return Moved{static_cast<std::size_t>(done), Waits::kForNothing};
    switch (SSL_get_error(session_.get(), done)) {
      case SSL_ERROR_WANT_READ:
        return Moved{0, Waits::kToRead};
      case SSL_ERROR_WANT_WRITE:
        return Moved{0, Waits::kToWrite};
      default:
        break;
    }
    const bool is_in = SSL_is_init_finished(session_.get()) == 1;
    const std::string text = LastComplaint();
    if (is_in) return absl::CancelledError(absl::StrCat("the client's connection: ", text));
    return absl::UnauthenticatedError(absl::StrCat("no TLS with a client: ", text));
  }

  const Session session_;  // null: it could not be made
};

class Acceptor final : public TlsAcceptor {
 public:
  Acceptor(TlsName own, TlsDoor door, std::string_view protocol)
      : own_(std::move(own)), door_(door), protocol_(static_cast<char>(protocol.size()) + std::string(protocol)) {}

  // False: OpenSSL wants none of it.
  bool Prepare(const TlsIdentity& identity) {
    context_.reset(SSL_CTX_new(TLS_server_method()));
    SSL_CTX* const context = context_.get();
    if (context == nullptr || SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) != 1) return false;
    SSL_CTX_set_options(context, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_num_tickets(context, 0);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                  SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_app_data(context, this);
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, &Acceptor::Verify);
    SSL_CTX_set_alpn_select_cb(context, &Acceptor::Select, this);
    return openssl::UseIdentity(identity, context);
  }

  std::unique_ptr<TlsConnection> Accept(int descriptor) override {
    Session session(SSL_new(context_.get()));
    if (session != nullptr && SSL_set_fd(session.get(), descriptor) != 1) session.reset();
    if (session != nullptr) SSL_set_accept_state(session.get());
    return std::make_unique<Connection>(std::move(session));
  }

 private:
  // After authority and dates, for each certificate of the chain; the holder's comes last.
  static int Verify(int is_well, X509_STORE_CTX* store) {
    if (is_well != 1 || X509_STORE_CTX_get_error_depth(store) != 0) return is_well;
    const auto* const session =
        static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
    const auto* const self = static_cast<const Acceptor*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
    if (self->Admits(X509_STORE_CTX_get_current_cert(store))) return 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
  }
  [[nodiscard]] bool Admits(X509* certificate) const {
    const auto read = ReadTlsCertificate(openssl::PemOf(certificate));
    return read.ok() && CheckTlsPeer(door_, own_, read->name).ok();
  }

  static int Select(SSL* /*session*/, const unsigned char** out, unsigned char* out_size, const unsigned char* in,
                    unsigned in_size, void* self) {
    const std::string& wanted = static_cast<const Acceptor*>(self)->protocol_;
    unsigned char* chosen = nullptr;
    const int found = SSL_select_next_proto(&chosen, out_size, reinterpret_cast<const unsigned char*>(wanted.data()),
                                            static_cast<unsigned>(wanted.size()), in, in_size);
    *out = chosen;
    return found == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_NOACK;
  }

  const TlsName own_;
  const TlsDoor door_;
  const std::string protocol_;  // as ALPN writes it
  Context context_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<TlsAcceptor>> MakeTlsAcceptor(const TlsIdentity& identity, TlsDoor door,
                                                             std::string_view protocol) {
  auto acceptor = std::make_unique<Acceptor>(identity.own.name, door, protocol);
  if (!acceptor->Prepare(identity)) return absl::InternalError("OpenSSL cannot begin: " + LastComplaint());
  return acceptor;
}

}  // namespace dfs
