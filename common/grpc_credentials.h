// The one place where gRPC connections get their protection: channels and servers of the whole tree are made with what
// comes from here, in plaintext or under TLS.
//
// Under TLS both ends show a certificate, and each holds the other's against its authority, the clock, and what the door is
// for (tls_name.h). TLS 1.3 or nothing.
#ifndef DFS_COMMON_GRPC_CREDENTIALS_H_
#define DFS_COMMON_GRPC_CREDENTIALS_H_

#include <grpcpp/channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <memory>
#include <string>

#include "common/tls_identity.h"
#include "proto/channel_arguments.h"

namespace dfs {

// How this process dials others. A value; copies share what is behind it. Thread-safe.
class Dialer {
 public:
  Dialer();  // in plaintext
  // `door`: kPeers or kServer: who must be at the other end. Before other threads of the process read the environment: gRPC
  // takes the least version of TLS from there.
  Dialer(const TlsIdentity& identity, TlsDoor door);

  [[nodiscard]] bool is_tls() const { return identity_ != nullptr; }
  // Null: in plaintext.
  [[nodiscard]] const TlsIdentity* identity() const { return identity_.get(); }
  // The channel connects when first used.
  [[nodiscard]] std::shared_ptr<grpc::Channel> Dial(const std::string& address,
                                                    const grpc::ChannelArguments& arguments) const;
  [[nodiscard]] std::shared_ptr<grpc::Channel> Dial(const std::string& address, ChannelUse use) const {
    return Dial(address, ArgumentsFor(use));
  }

 private:
  std::shared_ptr<const TlsIdentity> identity_;
  std::shared_ptr<grpc::ChannelCredentials> credentials_;
};

// From here on what gRPC has to say of failed handshakes goes to this program's log, some of it left out; on a client, at
// verbose level only. Once, before threads start; for programs, not for libraries.
void TakeOverTlsLog(bool is_server);

// For grpc::ServerBuilder::AddListeningPort.
std::shared_ptr<grpc::ServerCredentials> PlaintextDoor();
// `door`: kPeers or kClients: who may come in. The rest as of Dialer.
std::shared_ptr<grpc::ServerCredentials> LockedDoor(const TlsIdentity& identity, TlsDoor door);

}  // namespace dfs

#endif  // DFS_COMMON_GRPC_CREDENTIALS_H_
