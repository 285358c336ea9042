// The answer that a file, or a range of it, is.
#ifndef DFS_SERVER_HTTP_FILE_ANSWER_H_
#define DFS_SERVER_HTTP_FILE_ANSWER_H_

#include <functional>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "dfs/v1/files.pb.h"
#include "server/gateway/file_reads.h"
#include "server/http/entity_tag.h"
#include "server/http/exchange.h"

namespace dfs::http {

// Conditions and ranges of a GET or HEAD (RFC 9110, sections 13 and 14) are decided by what the first message of the
// get says of the file, so that one get is enough but for a range that counts from the end. Used by one thread.
class FileAnswer {
 public:
  using Get = std::function<absl::Status(const v1::GetRequest&, const gateway::GetSink&)>;

  // Outlived by `exchange`.
  FileAnswer(Exchange* exchange, std::string disposition);

  // Answers, unless the get fails before anything was sent: that is returned.
  absl::Status Send(v1::GetRequest request, const Get& get);

 private:
  // A file that is replaced between two gets is looked at again so often.
  static constexpr int kLooksMax = 5;

  absl::Status SendOnce(const v1::GetRequest& request, const Get& get);
  // The file, without its bytes.
  static absl::StatusOr<v1::FileInfo> Look(v1::GetRequest request, const Get& get);
  // False: do not go on.
  bool TakeFirst(const v1::FileInfo& info);
  // Whether If-Match and If-None-Match let the file be sent; otherwise the answer is given.
  bool CheckConditions(const std::string& tag);
  void AnswerUnsatisfiable(const v1::FileInfo& info);

  Exchange* const exchange_;
  const std::string disposition_;
  const bool is_head_;
  std::optional<ByteRange> range_;
  bool is_range_void_ = false;  // If-Range names another version: the whole file is the answer
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_FILE_ANSWER_H_
