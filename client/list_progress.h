// How far a list has come, whichever calls it takes.
#ifndef DFS_CLIENT_LIST_PROGRESS_H_
#define DFS_CLIENT_LIST_PROGRESS_H_

#include <cstdint>
#include <string>
#include <utility>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client {

// Its request is always the one to ask next: behind what has been taken or need not be looked at again. Not thread-safe.
class ListProgress {
 public:
  explicit ListProgress(v1::ListRequest request) : request_(std::move(request)) {}

  [[nodiscard]] const v1::ListRequest& request() const { return request_; }
  // `take` wants no more.
  [[nodiscard]] bool is_stopped() const { return is_stopped_; }
  // As many as were asked for have been taken.
  [[nodiscard]] bool has_all() const { return has_all_; }
  // The server has ended the call before the list, and wants to be asked again.
  [[nodiscard]] bool is_cut() const { return is_cut_; }
  // Before each call.
  void BeginCall();

  // Hands the files of a message to `take`. kUnimplemented, and nothing was handed on: it answers another question, as servers do
  // that do not know what was asked. kInternal: it is cut and has come no further.
  absl::Status Take(const v1::ListResponse& response, absl::FunctionRef<bool(const v1::FileInfo&)> take);

 private:
  v1::ListRequest request_;
  bool is_stopped_ = false;
  bool has_all_ = false;
  bool is_cut_ = false;
  std::string began_after_;
  std::uint64_t began_after_version_ = 0;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_LIST_PROGRESS_H_
