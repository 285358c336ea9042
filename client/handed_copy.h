// Copies a range of a file out of chunk files that were handed over.
#ifndef DFS_CLIENT_HANDED_COPY_H_
#define DFS_CLIENT_HANDED_COPY_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/posix_handover.h"
#include "common/executor.h"
#include "common/sync.h"
#include "proto/data_message.h"

namespace dfs::client {

// Bytes are copied first and summed then, once, in the copy: nobody can change it afterwards. Of a long range every other piece is
// copied and summed ahead by a thread of its own, as two processors move more than one.
//
// Used by one thread.
class HandedCopy {
 public:
  // At a time; whole blocks. What was copied is still in the processor's own cache when it is summed.
  static constexpr std::uint64_t kPieceBytes = std::uint64_t{512} << 10;
  // Shorter ranges are over before another thread has begun.
  static constexpr std::size_t kPiecesForThread = 4;

  // From `begin` to `end` of the file, or to where the chunks end, whichever comes first. Both outlive this. kDataLoss: these are
  // chunks of another place of the file.
  static absl::StatusOr<std::unique_ptr<HandedCopy>> Begin(const HandedFiles& files, const v1::HandedChunks& handed,
                                                           std::uint64_t begin, std::uint64_t end);

  struct Piece {
    Slices data;  // none: that was all
    std::uint32_t crc = 0;
  };
  // The next bytes, as the chunk's table has them. Blocks on disk. kDataLoss: they are damaged. kUnavailable: they cannot be read.
  // No call after an error.
  absl::StatusOr<Piece> Next();

 private:
  struct Cut {
    std::size_t chunk = 0;
    std::uint64_t block = 0;  // where reading begins in the chunk
    std::size_t bytes = 0;    // to be read
    std::size_t skip = 0;     // of these, in front of what is wanted
    std::size_t take = 0;
  };
  // Under way on the thread, or done.
  struct Ahead {
    absl::StatusOr<Piece> piece = Piece();  // valid once done
    Event done;
  };

  HandedCopy(const HandedFiles& files, const v1::HandedChunks& handed) : files_(files), handed_(handed) {}
  [[nodiscard]] absl::StatusOr<Piece> Copy(const Cut& cut) const;
  void StartAhead(std::size_t index);

  const HandedFiles& files_;
  const v1::HandedChunks& handed_;
  std::vector<Cut> cuts_;
  std::size_t at_ = 0;
  std::shared_ptr<Ahead> ahead_;
  std::optional<ThreadExecutor> thread_;  // last: it uses the rest
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_HANDED_COPY_H_
