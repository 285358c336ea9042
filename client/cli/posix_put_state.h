// What a later run of the program needs to go on with a put that this one does not end.
#ifndef DFS_CLIENT_CLI_POSIX_PUT_STATE_H_
#define DFS_CLIENT_CLI_POSIX_PUT_STATE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "client/file_client.h"

namespace dfs::client::cli {

// A small file in the user's state folder (dfs/puts), for this user only, named by the hash of what is put where and how; it
// holds the trace of the put with length, inode and time of modification of the local file. Locked (flock) while this lives, so
// that two runs never go on with one put. Without it a put begins anew, and cannot be gone on with.
//
// Not thread-safe. Different objects may be used by different threads.
class PutState {
 public:
  // Of one user. When there are more, no further put is remembered; those of puts that were begun longer ago are removed.
  static constexpr std::size_t kStatesMax = 256;
  static constexpr absl::Duration kAgeMax = absl::Hours(24);

  // `what`: all that must be equal, the local file's name apart. Errors say why it cannot be: there is no place, another run is
  // putting the same, or there are too many.
  static absl::StatusOr<std::unique_ptr<PutState>> Open(const std::string& what, const std::string& local);
  ~PutState();  // removes an empty one
  PutState(const PutState&) = delete;
  PutState& operator=(const PutState&) = delete;

  // What an earlier run has left; none if the local file has changed since, or it is older than kAgeMax.
  [[nodiscard]] std::optional<PutTrace> left() const;
  void Write(const PutTrace& trace);
  // What an earlier run has left counts no more; this one may still Write.
  void Clear();
  // The put is decided.
  void Remove();

 private:
  PutState(std::string path, std::string local, int descriptor)
      : path_(std::move(path)), local_(std::move(local)), descriptor_(descriptor) {}

  const std::string path_;
  const std::string local_;
  int descriptor_;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_POSIX_PUT_STATE_H_
