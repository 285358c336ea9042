// Where the bytes of a put come from and where those of a get go.
#ifndef DFS_CLIENT_BYTE_STREAM_H_
#define DFS_CLIENT_BYTE_STREAM_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "dfs/v1/types.pb.h"
#include "proto/data_message.h"

namespace dfs::client {

// Not thread-safe; used by one operation at a time, on the caller's thread.
class ByteSource {
 public:
  virtual ~ByteSource() = default;
  // How many bytes there will be, if that is known.
  [[nodiscard]] virtual std::optional<std::uint64_t> size() const = 0;
  // The next bytes: `bytes_max` of them, or fewer if the end comes first; none at the end. May
  // block. An error ends the put: nothing happened.
  [[nodiscard]] virtual absl::StatusOr<Slices> Read(std::size_t bytes_max) = 0;
  // Begins again from the first byte. False if that is no longer possible: a put that broke
  // cannot be repeated then.
  [[nodiscard]] virtual bool Rewind() = 0;
  // Goes on at byte `offset`, whatever was read before. False: nothing changed, and only Rewind and Read lead there.
  [[nodiscard]] virtual bool SkipTo(std::uint64_t /*offset*/) { return false; }
};

// Not thread-safe; used by one operation at a time, on the caller's thread.
class ByteSink {
 public:
  virtual ~ByteSink() = default;
  // Once, before the first byte; again after Rewind.
  [[nodiscard]] virtual absl::Status Begin(const v1::FileInfo& /*file*/) {
    return absl::OkStatus();
  }
  // Verified bytes, in order. An error ends the get.
  [[nodiscard]] virtual absl::Status Write(const Slices& bytes) = 0;
  // Forgets what was written. False if that is not possible.
  [[nodiscard]] virtual bool Rewind() { return false; }
};

// Bytes in memory.
class StringSource final : public ByteSource {
 public:
  explicit StringSource(std::string bytes) : bytes_(Slices::Adopt(std::move(bytes))) {}
  [[nodiscard]] std::optional<std::uint64_t> size() const override { return bytes_.size(); }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override;
  [[nodiscard]] bool Rewind() override;
  [[nodiscard]] bool SkipTo(std::uint64_t offset) override;

 private:
  const Slices bytes_;
  std::size_t at_ = 0;
};

class StringSink final : public ByteSink {
 public:
  [[nodiscard]] absl::Status Write(const Slices& bytes) override {
    bytes_ += bytes.ToString();
    return absl::OkStatus();
  }
  [[nodiscard]] bool Rewind() override {
    bytes_.clear();
    return true;
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }

 private:
  std::string bytes_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_BYTE_STREAM_H_
