// What OpenSSL's users here have in common: owners of its objects, and how an identity becomes part of a context. For openssl_*.cc.
#ifndef DFS_COMMON_OPENSSL_HANDLES_H_
#define DFS_COMMON_OPENSSL_HANDLES_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <memory>
#include <string>
#include <string_view>

#include "common/tls_identity.h"

namespace dfs::openssl {

template <auto Free>
struct Deleter {
  template <class T>
  void operator()(T* owned) const {
    Free(owned);
  }
};
template <class T, auto Free>
using Owned = std::unique_ptr<T, Deleter<Free>>;

using Context = Owned<SSL_CTX, SSL_CTX_free>;
using Session = Owned<SSL, SSL_free>;
using Bio = Owned<BIO, BIO_free_all>;
using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using Certificate = Owned<X509, X509_free>;

// Reads from `text`, which outlives it. Null: no memory, or 2 GiB and more.
Bio BioOf(std::string_view text);
// Empty: it cannot be written.
std::string PemOf(X509* certificate);

// The context shows the identity's certificate with what leads to its authority, and believes its authorities; as a server it
// names these to clients. False: OpenSSL wants none of it.
bool UseIdentity(const TlsIdentity& identity, SSL_CTX* context);

}  // namespace dfs::openssl

#endif  // DFS_COMMON_OPENSSL_HANDLES_H_
