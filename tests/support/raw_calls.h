// Calls to one chosen node through the generated stubs: no retries, no fail-over, and every lie that a client can tell.
#ifndef DFS_TESTS_SUPPORT_RAW_CALLS_H_
#define DFS_TESTS_SUPPORT_RAW_CALLS_H_

#include <grpcpp/channel.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "dfs/v1/files.pb.h"

namespace dfs::testing {

inline constexpr absl::Duration kRawCallTimeout = absl::Seconds(30);

// A request id of a session of its own. `birth` is asked of the node (Cluster.Hello).
absl::StatusOr<v1::RequestId> NewRequestId(const std::shared_ptr<grpc::Channel>& channel);

// The messages of an honest put, to be sent as they are or bent first: header, data in pieces of
// `piece_bytes`, finish in a message of its own.
std::vector<v1::PutRequest> HonestPut(std::string_view name, std::string_view content,
                                      const v1::RequestId& id, std::size_t piece_bytes = 1 << 20);

// How a put stream ends on the client's side.
enum class StreamEnd { kDone, kCancel };
absl::StatusOr<v1::PutResponse> SendPut(const std::shared_ptr<grpc::Channel>& channel,
                                        const std::vector<v1::PutRequest>& messages,
                                        StreamEnd end = StreamEnd::kDone,
                                        absl::Duration timeout = kRawCallTimeout);

// What the node keeps of a put that was interrupted.
absl::StatusOr<v1::PutProgressResponse> PutProgressAt(const std::shared_ptr<grpc::Channel>& channel,
                                                      std::string_view name, std::string_view token);

// An honest put of a fresh session.
absl::StatusOr<v1::PutResponse> PutAt(const std::shared_ptr<grpc::Channel>& channel,
                                      std::string_view name, std::string_view content,
                                      std::optional<std::uint64_t> if_version = std::nullopt);
// All bytes, each message's offset and checksum compared.
absl::StatusOr<std::string> GetAt(const std::shared_ptr<grpc::Channel>& channel,
                                  const v1::GetRequest& request);
absl::StatusOr<std::string> GetAt(const std::shared_ptr<grpc::Channel>& channel,
                                  std::string_view name,
                                  v1::Consistency consistency = v1::STRONG);
absl::StatusOr<v1::FileInfo> StatAt(const std::shared_ptr<grpc::Channel>& channel,
                                    std::string_view name,
                                    v1::Consistency consistency = v1::STRONG);
absl::StatusOr<v1::RemoveResponse> RemoveAt(const std::shared_ptr<grpc::Channel>& channel,
                                            std::string_view name, const v1::RequestId& id);
absl::StatusOr<v1::SettleResponse> SettleAt(const std::shared_ptr<grpc::Channel>& channel,
                                            const v1::RequestId& id);

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_RAW_CALLS_H_
