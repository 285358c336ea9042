// One file read through one node after another, if need be.
#ifndef DFS_CLIENT_DOWNLOAD_H_
#define DFS_CLIENT_DOWNLOAD_H_

#include <cstdint>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "client/byte_stream.h"
#include "client/call_watch.h"
#include "client/connection.h"
#include "client/posix_handover.h"

namespace dfs::client {

class CopyRoom;

// Bytes so far, and bytes in all.
using BytesReceived = absl::FunctionRef<void(std::uint64_t, std::uint64_t)>;

// Follows a get over several attempts: each goes on where the one before stopped, with the same
// version. Every message is checked against its CRC32C before the sink sees it, and a file read
// whole against the CRC32C of the file.
//
// Not thread-safe.
class Download {
 public:
  // `sink` and `room` outlive this.
  Download(v1::GetRequest request, ByteSink& sink, CopyRoom& room)
      : wanted_(std::move(request)), sink_(sink), room_(room) {}

  // What became of files that the server handed over (posix_handover.h) in an attempt that takes them.
  enum class Handover {
    kNone,     // it sent bytes
    kCopied,   // has_all, or the next attempt goes on
    kRefused,  // it could not be had: the next attempt must not take files. Nothing is lost
    kDamaged,  // the same; bytes did not match their table, and the sink has none of them
  };
  // Blocks. kDataLoss: bytes do not match their checksum; the sink has none of them. Errors of the
  // sink come back as they are, with the call cancelled. Not OK if handover() is kRefused or kDamaged.
  absl::Status Attempt(const DataMethods& methods, CallWatch::Guard& guard, bool takes_files, BytesReceived moved);
  [[nodiscard]] Handover handover() const { return handover_; }
  [[nodiscard]] std::uint64_t bytes_handed_over() const { return bytes_handed_over_; }

  // Whether an attempt failed because the version that was begun with is gone.
  [[nodiscard]] bool HasLostItsVersion(const absl::Status& status) const {
    return file_.has_value() && !wanted_.has_version() &&
           status.code() == absl::StatusCode::kNotFound;
  }
  // Begins again with the current version. False if the sink cannot forget what it has.
  [[nodiscard]] bool Restart();

  [[nodiscard]] const std::optional<v1::FileInfo>& file() const { return file_; }
  [[nodiscard]] bool has_all() const { return file_.has_value() && received_ == expected_; }

 private:
  [[nodiscard]] v1::GetRequest NextRequest() const;
  absl::Status TakeMessage(const RawGetResponse& response);
  absl::Status TakeHanded(const v1::HandedChunks& handed, CallWatch::Guard& guard, BytesReceived moved);
  // Verified bytes to the sink.
  absl::Status Deliver(const Slices& bytes, std::uint32_t crc);
  absl::Status Begin(const v1::FileInfo& file);
  [[nodiscard]] absl::Status CheckEnd() const;
  [[nodiscard]] bool IsWhole() const { return wanted_.offset() == 0 && expected_ == file_->size(); }

  const v1::GetRequest wanted_;
  ByteSink& sink_;
  CopyRoom& room_;
  std::optional<v1::FileInfo> file_;
  std::uint64_t expected_ = 0;  // bytes in all
  std::uint64_t received_ = 0;
  std::uint32_t crc_ = 0;
  Handover handover_ = Handover::kNone;
  std::uint64_t bytes_handed_over_ = 0;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_DOWNLOAD_H_
