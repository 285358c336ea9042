// One attempt to put a file through one node.
#ifndef DFS_CLIENT_UPLOAD_H_
#define DFS_CLIENT_UPLOAD_H_

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "client/byte_stream.h"
#include "client/call_watch.h"
#include "client/connection.h"

namespace dfs::client {

inline constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
// Files up to this size go in one message, over the control channel.
inline constexpr std::uint64_t kOneMessageBytes = std::uint64_t{256} << 10;

// Called after each piece was taken by the transport, with the bytes so far.
using BytesMoved = absl::FunctionRef<void(std::uint64_t)>;

// Where in the source, and in the file, an upload begins, and the CRC32C of what is before. The node has that.
struct UploadStart {
  std::uint64_t offset = 0;
  std::uint32_t crc32c = 0;
};

struct Upload {
  v1::PutResponse response;  // if OK
  // Whether the last message was given to the transport. Until then nothing can have happened,
  // whatever the error: a put without `finish` is never committed.
  bool was_finish_sent = false;
  std::uint64_t bytes = 0;  // of the file, up to here
  // If the header has a resume_token: where each message but the last ended, so what the node may have kept. 16 bytes a MiB.
  std::vector<UploadStart> kept;
};

// Reads `source`, which is at `start`, to its end and sends it. Blocks. Errors of the source come back as they are; the
// call is cancelled then, or abandoned if the header has a resume_token. Connects the bulk channel if needed: kUnavailable if that fails.
absl::Status UploadOnce(Connection& connection, absl::Duration connect_timeout,
                        CallWatch::Guard& guard, const v1::PutHeader& header, const UploadStart& start,
                        ByteSource& source, BytesMoved moved, Upload* upload);

}  // namespace dfs::client

#endif  // DFS_CLIENT_UPLOAD_H_
