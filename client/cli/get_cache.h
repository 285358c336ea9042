// Files that were read before, kept on this machine by (cluster, bucket, name, version).
#ifndef DFS_CLIENT_CLI_GET_CACHE_H_
#define DFS_CLIENT_CLI_GET_CACHE_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "client/posix_byte_stream.h"
#include "dfs/v1/types.pb.h"

namespace dfs::client::cli {

// A folder of the user's own: $XDG_CACHE_HOME/dfs/<cluster>, or ~/.cache/dfs/<cluster>. What is in
// it is believed only if its length, its CRC32C and its XXH3-128 are those that the cluster tells
// of the version. Several programs may use it at once.
//
// Not thread-safe.
class GetCache {
 public:
  // Makes the folder, for the user alone. A local error: there is nowhere to put it, or it cannot
  // be made.
  static absl::StatusOr<GetCache> Open(std::string_view cluster_id, std::uint64_t bytes_max);

  // True: all bytes of this version were written to `sink`. False: it is not cached, and the sink
  // got nothing; what was there and is not right was removed. Errors: of the sink; a local one if
  // the bytes change while they are read (some of them may have been written).
  absl::StatusOr<bool> Fetch(const v1::FileInfo& file, ByteSink& sink) const;
  // Where to put this version while it is read; it counts from Commit on. Null: larger than the
  // whole cache, or it cannot be written.
  [[nodiscard]] std::unique_ptr<FileSink> NewEntry(const v1::FileInfo& file) const;
  // Removes what was not used for longest until the rest fits.
  void Shrink() const;

 private:
  GetCache(std::string folder, std::uint64_t bytes_max)
      : folder_(std::move(folder)), bytes_max_(bytes_max) {}
  [[nodiscard]] std::string PathOf(const v1::FileInfo& file) const;

  std::string folder_;
  std::uint64_t bytes_max_;
};

// Passes what is read on to one sink, and to a second one as long as that works.
class TeeSink final : public ByteSink {
 public:
  // Both outlive it.
  TeeSink(ByteSink& first, ByteSink& second) : first_(first), second_(second) {}
  [[nodiscard]] absl::Status Begin(const v1::FileInfo& file) override;
  [[nodiscard]] absl::Status Write(const Slices& bytes) override;
  [[nodiscard]] bool Rewind() override;
  // Whether the second has all that the first has.
  [[nodiscard]] bool has_both() const { return has_both_; }

 private:
  ByteSink& first_;
  ByteSink& second_;
  bool has_both_ = true;
};

}  // namespace dfs::client::cli

#endif  // DFS_CLIENT_CLI_GET_CACHE_H_
