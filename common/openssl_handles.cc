#include "common/openssl_handles.h"

#include <openssl/err.h>
#include <openssl/pem.h>

#include <climits>

namespace dfs::openssl {

Bio BioOf(std::string_view text) {
  return Bio(text.size() > INT_MAX ? nullptr : BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

std::string PemOf(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  if (bio == nullptr || certificate == nullptr || PEM_write_bio_X509(bio.get(), certificate) != 1) return "";
  const char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

bool UseIdentity(const TlsIdentity& identity, SSL_CTX* context) {
  const Bio chain = BioOf(identity.certificate_pem);
  const Bio secret = BioOf(identity.key_pem);
  const Bio roots = BioOf(identity.ca_pem);
  if (chain == nullptr || secret == nullptr || roots == nullptr) return false;
  const Certificate own(PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr));
  const Key key(PEM_read_bio_PrivateKey(secret.get(), nullptr, nullptr, nullptr));
  if (own == nullptr || key == nullptr) return false;
  while (X509* between = PEM_read_bio_X509(chain.get(), nullptr, nullptr, nullptr)) {
    if (SSL_CTX_add_extra_chain_cert(context, between) != 1) X509_free(between);
  }
  while (const Certificate root{PEM_read_bio_X509(roots.get(), nullptr, nullptr, nullptr)}) {
    X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get());
    SSL_CTX_add_client_CA(context, root.get());
  }
  ERR_clear_error();  // the end of a PEM text is one
  return SSL_CTX_use_certificate(context, own.get()) == 1 && SSL_CTX_use_PrivateKey(context, key.get()) == 1;
}

}  // namespace dfs::openssl
