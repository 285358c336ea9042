// The attempts of one put: from its first byte, or from where an earlier one stopped.
#ifndef DFS_CLIENT_PUT_ATTEMPTS_H_
#define DFS_CLIENT_PUT_ATTEMPTS_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/caller.h"
#include "client/connection.h"
#include "client/file_client.h"
#include "client/upload.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client {

// Used by one thread, for one put. Blocks.
class PutAttempts {
 public:
  // All outlive it. `header` without request id and token. `left`: what there may be to go on with, of another client.
  PutAttempts(Caller& caller, v1::PutHeader header, ByteSource& source, const PutOptions& options,
              std::optional<PutTrace> left = std::nullopt);

  // From the first byte, at this node; an attempt of Caller::Run. If it breaks midway and a node may have kept what came,
  // the error is Final and has_broken() true: GoOn. (Not behind an attempt of unknown end under the same id: that is settled
  // if this one is not repeated, and what is settled cannot be gone on with.)
  absl::Status Anew(const std::shared_ptr<Connection>& connection, const v1::RequestId& id, RetryPolicy& retry);
  [[nodiscard]] bool has_broken() const { return has_broken_; }

  // Goes on with the put of trace(), at the node that has it. True: it is stored. False: no node has it, or what it has is
  // not the beginning of the source; the source is at its beginning. An error: the put is decided, the source failed, or nobody
  // could be asked, or take the rest, within the limits of a change: then it may be gone on with later. Outcome unknown if the put
  // may have happened. Blocks.
  absl::StatusOr<bool> GoOn();
  // What there may be to go on with.
  [[nodiscard]] const std::optional<PutTrace>& trace() const { return trace_; }
  // Whether the put of trace() may have happened already: it must be settled before another is begun (rule R15).
  [[nodiscard]] bool must_settle() const { return must_settle_; }
  void ForgetTrace();
  // It had happened: response() tells what, and nothing was sent.
  void RecordHappened() {
    resumable_->resumed_at = response_.info().size();
    resumable_->why_anew.clear();
  }

  // Of the one that succeeded.
  [[nodiscard]] v1::PutResponse& response() { return response_; }

 private:
  struct Parked {
    std::shared_ptr<Connection> connection;
    v1::PutProgressResponse progress;
  };

  absl::Status Send(const std::shared_ptr<Connection>& connection, const UploadStart& start, RetryPolicy* retry,
                    Upload* upload);
  absl::Status AwaitAnybody();
  absl::StatusOr<Parked> Find();
  absl::StatusOr<Parked> Ask(const std::string& address);
  absl::StatusOr<bool> TakeBeginning(const v1::PutProgressResponse& progress);
  absl::StatusOr<bool> ToBeginning(std::string why_anew);
  [[nodiscard]] absl::Status Undecided(const absl::Status& failure) const;

  Caller& caller_;
  v1::PutHeader header_;
  ByteSource& source_;
  const PutOptions& options_;
  ResumablePut* const resumable_;  // null: it begins anew whenever it breaks
  std::optional<PutTrace> trace_;
  std::vector<UploadStart> kept_;  // what a node may have of the put of trace_, as it was sent here; ascending
  bool must_settle_;
  bool has_broken_ = false;
  v1::PutResponse response_;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_PUT_ATTEMPTS_H_
