// Files made of repeatable bytes, and the question whether a cluster holds them: through clients, and copy by copy
// from each node's own store.
#ifndef DFS_TESTS_SUPPORT_FILE_CHECKS_H_
#define DFS_TESTS_SUPPORT_FILE_CHECKS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/file_client.h"
#include "common/checksum.h"
#include "tests/support/process_cluster.h"

namespace dfs::testing {

// `size` bytes that only `seed` determines; equal seeds give equal beginnings.
std::string MakeBytes(std::uint64_t seed, std::size_t size);

// The same as a source of any length that holds one piece at a time.
class SeededSource final : public client::ByteSource {
 public:
  SeededSource(std::uint64_t seed, std::uint64_t size) : seed_(seed), size_(size) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return size_; }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override;
  [[nodiscard]] bool Rewind() override {
    at_ = 0;
    return true;
  }

 private:
  const std::uint64_t seed_;
  const std::uint64_t size_;
  std::uint64_t at_ = 0;
};

struct Fingerprint {
  std::uint64_t size = 0;
  Hash128 hash;  // XXH3-128 of all bytes
  auto operator<=>(const Fingerprint&) const = default;
};
Fingerprint FingerprintOf(std::string_view bytes);
Fingerprint FingerprintOfSeeded(std::uint64_t seed, std::uint64_t size);

// Keeps only the fingerprint of what it is given.
class FingerprintSink final : public client::ByteSink {
 public:
  [[nodiscard]] absl::Status Write(const Slices& bytes) override;
  [[nodiscard]] bool Rewind() override;
  [[nodiscard]] Fingerprint fingerprint() const { return {size_, stream_.Digest()}; }

 private:
  std::uint64_t size_ = 0;
  Xxh3Stream stream_;
};


absl::Status Put(client::FileClient& client, std::string_view name, std::string bytes);
absl::StatusOr<std::string> Get(client::FileClient& client, std::string_view name,
                                const client::GetOptions& options = {});

// The copy of the current version of `name` that node `n` holds: lists what the node has, reads each chunk from
// its peer port and checks it against its block table and against the hash that the log has of it.
//   kNotFound  the node has not all chunks of it
//   kDataLoss  bytes, table and hash do not agree
absl::StatusOr<Fingerprint> ReadCopy(ProcessCluster& cluster, client::FileClient& client, int n,
                                     const std::string& name);

// OK if each of the nodes holds a copy of `name` with exactly that content.
absl::Status CheckCopies(ProcessCluster& cluster, client::FileClient& client,
                         const std::vector<int>& nodes, const std::string& name,
                         const Fingerprint& expected);
// The same of many files, which is faster than one by one.
absl::Status CheckCopies(ProcessCluster& cluster, client::FileClient& client,
                         const std::vector<int>& nodes,
                         const std::map<std::string, Fingerprint>& files);

// The names of the files of which node `n` holds anything that is not trashed.
absl::StatusOr<std::vector<std::string>> NamesHere(ProcessCluster& cluster, int n);

}  // namespace dfs::testing

#endif  // DFS_TESTS_SUPPORT_FILE_CHECKS_H_
