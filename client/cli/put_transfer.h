// One file into the cluster: the conditions, and the question whether to write over what somebody else wrote just now.
#ifndef DFS_CLIENT_CLI_PUT_TRANSFER_H_
#define DFS_CLIENT_CLI_PUT_TRANSFER_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "client/cli/session.h"
#include "client/posix_byte_stream.h"

namespace dfs::client::cli {

struct PutSettings {
  std::optional<std::uint64_t> if_version;
  bool if_absent = false;
  bool is_forced = false;  // whatever another client wrote just now
  bool resumes = false;    // what is there with the same bytes, or was sent by a run that was interrupted, is not sent again
  bool may_ask = false;    // a person, at the terminal; of one file at a time
};

struct Stored {
  v1::PutResponse put;
  bool was_there = false;
  std::uint64_t resumed_from = 0;  // bytes that an interrupted put had sent
};

// "-" is standard input.
absl::StatusOr<std::unique_ptr<ByteSource>> OpenSource(const std::string& local);
// Whether a put may go on over this version (0: there is none). kAlreadyExists, kFailedPrecondition.
absl::Status CheckConditions(const PutSettings& settings, std::uint64_t version);

// Thread-safe unless `may_ask`: uses only what of the session is.
absl::StatusOr<Stored> PutFile(Session& session, const std::string& local, const std::string& remote,
                               const PutSettings& settings, const OnProgress& on_progress);

std::string LineOf(const Stored& stored, bool is_human);
Json JsonOf(const Stored& stored);

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_PUT_TRANSFER_H_
