// Why nobody can be reached, if TLS is the reason.
#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "client/caller.h"
#include "common/tls_door_probe.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Milliseconds(300);
constexpr absl::Duration kTimeout = absl::Milliseconds(1'500);  // for all addresses

// What is wrong with the certificate of a server that would let this client in. Empty: nothing that shows here.
std::string WrongWith(const std::string& pem, const TlsIdentity& own, const std::string& address) {
  const auto peer = ReadTlsCertificate(pem);
  if (!peer.ok()) return std::string(peer.status().message());
  if (const auto checked = CheckTlsPeer(TlsDoor::kServer, own.own.name, peer->name); !checked.ok()) {
    return std::string(checked.message());
  }
  if (!HoldsForHost(peer->hosts, address)) return "it holds for other addresses only";
  return "";
}

// Empty: TLS is not the reason, as far as can be seen.
std::string Diagnosis(const std::string& address, const TlsIdentity* own, const TlsWords& words,
                      absl::Duration timeout) {
  using Door = TlsDoorReport::Door;
  TlsDoorProbe probe;
  probe.address = address;
  probe.identity = own;
  probe.connect_timeout = std::min(kConnectTimeout, timeout);
  probe.timeout = timeout;
  const TlsDoorReport report = ProbeTlsDoor(probe);
  if (own == nullptr) {
    if (report.door != Door::kTls) return "";
    return absl::StrCat(address, " speaks TLS only: pass ", words.All());
  }
  if (report.door == Door::kNotTls) {
    return absl::StrCat(address, " does not speak TLS: start it with --tls-cert, --tls-key and --tls-ca, or leave out ",
                        words.All(), " here");
  }
  if (report.door != Door::kTls) return "";
  if (report.is_open) {
    const std::string wrong = WrongWith(report.peer_pem, *own, address);
    return wrong.empty() ? "" : absl::StrCat("the certificate of ", address, " is not accepted: ", wrong);
  }
  return absl::StrCat("no TLS with ", address, " as ", UriOf(own->own.name), ": ", report.reason,
                      " (is the certificate of the same authority, and valid on both sides' clocks?)");
}

}  // namespace

absl::Status ExplainUnreachable(const std::vector<std::string>& addresses, const Dialer& dialer,
                                const TlsWords& words, absl::Status error) {
  const MonotonicTime end = SystemClock().Now() + kTimeout;
  for (const auto& address : addresses) {
    const absl::Duration left = end - SystemClock().Now();
    if (left <= absl::ZeroDuration()) break;
    const std::string why = Diagnosis(address, dialer.identity(), words, left);
    if (!why.empty()) {
      return ErrorWithReason(absl::StatusCode::kUnauthenticated, why, v1::ErrorDetail::REASON_UNSPECIFIED);
    }
  }
  return error;
}

}  // namespace dfs::client
