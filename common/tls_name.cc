#include "common/tls_name.h"

#include <algorithm>
#include <cctype>
#include <optional>

#include "absl/strings/str_cat.h"
#include "common/mutant.h"
#include "common/status_macros.h"

namespace dfs {
namespace {

constexpr std::size_t kLabelBytesMax = 63;
constexpr std::string_view kScheme = "dfs://";
constexpr std::string_view kNodePath = "node/";
constexpr std::string_view kClientPath = "client/";

bool IsAlphanumeric(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

bool IsLabel(std::string_view label) {
  return !label.empty() && label.size() <= kLabelBytesMax && IsAlphanumeric(label[0]) &&
         std::all_of(label.begin(), label.end(), [](char c) {
           return IsAlphanumeric(c) || c == '.' || c == '_' || c == '-';
         });
}

std::optional<TlsName> Parse(std::string_view uri) {
  uri.remove_prefix(kScheme.size());
  const auto slash = uri.find('/');
  if (slash == std::string_view::npos) return std::nullopt;
  TlsName name;
  name.cluster = std::string(uri.substr(0, slash));
  uri.remove_prefix(slash + 1);
  if (uri.starts_with(kNodePath)) {
    name.role = TlsRole::kNode;
    uri.remove_prefix(kNodePath.size());
  } else if (uri.starts_with(kClientPath)) {
    name.role = TlsRole::kClient;
    uri.remove_prefix(kClientPath.size());
  } else {
    return std::nullopt;
  }
  name.name = std::string(uri);
  if (!IsLabel(name.cluster) || !IsLabel(name.name)) return std::nullopt;
  return name;
}

std::string_view HostOf(std::string_view address) {
  if (address.starts_with('[')) {
    const auto end = address.find(']');
    return end == std::string_view::npos ? address : address.substr(1, end - 1);
  }
  const auto colon = address.find(':');
  // More than one without brackets: an IPv6 address without port.
  if (colon == std::string_view::npos || colon != address.rfind(':')) return address;
  return address.substr(0, colon);
}

bool IsSameHost(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) == std::tolower(static_cast<unsigned char>(y));
  });
}

}  // namespace

absl::Status CheckTlsLabel(std::string_view what, std::string_view label) {
  if (IsLabel(label)) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      std::string(what), " \"", std::string(label),
      "\": 1 to 63 letters, digits, '.', '_' and '-', of which the first is a letter or a digit"));
}

std::string UriOf(const TlsName& name) {
  return absl::StrCat(std::string(kScheme), name.cluster, "/",
                      std::string(name.role == TlsRole::kNode ? kNodePath : kClientPath), name.name);
}

absl::StatusOr<TlsName> TlsNameOf(const std::vector<std::string>& uris) {
  std::optional<TlsName> found;
  for (const std::string& uri : uris) {
    if (!uri.starts_with(kScheme)) continue;
    if (found) return absl::UnauthenticatedError("a certificate with more than one dfs:// name");
    found = Parse(uri);
    if (!found) return absl::UnauthenticatedError("a certificate with a malformed dfs:// name");
  }
  if (!found) return absl::UnauthenticatedError("a certificate without a dfs:// name");
  return *found;
}

absl::Status CheckTlsPeer(TlsDoor door, const TlsName& own, const TlsName& peer) {
  if (peer.cluster != own.cluster && !DFS_MUTANT(1060, "any cluster's certificate will do")) {
    return absl::UnauthenticatedError(absl::StrCat("a certificate of cluster ", peer.cluster,
                                                   ", where ", own.cluster, " is expected"));
  }
  if (door == TlsDoor::kClients || peer.role == TlsRole::kNode) return absl::OkStatus();
  if (DFS_MUTANT(1061, "a client's certificate opens the port of the nodes")) return absl::OkStatus();
  return absl::UnauthenticatedError(absl::StrCat(
      "the certificate of client ", peer.name,
      door == TlsDoor::kServer ? " where a node is expected" : " at a port for nodes only"));
}

bool HoldsForHost(const std::vector<std::string>& hosts, std::string_view address) {
  if (hosts.empty()) return true;
  const std::string_view host = HostOf(address);
  return std::any_of(hosts.begin(), hosts.end(),
                     [host](const std::string& one) { return IsSameHost(one, host); });
}

}  // namespace dfs
