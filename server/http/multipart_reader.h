// The parts of a multipart/form-data body (RFC 7578), while they come.
#ifndef DFS_SERVER_HTTP_MULTIPART_READER_H_
#define DFS_SERVER_HTTP_MULTIPART_READER_H_

#include <cstddef>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "proto/data_message.h"

namespace dfs::http {

// The boundary of a Content-Type. nullopt: this is no multipart/form-data. An empty one is malformed, or missing.
std::optional<std::string> BoundaryOf(std::string_view content_type);

// Holds no more of the body than one piece. Does no I/O of its own; used by one thread.
class MultipartReader {
 public:
  static constexpr std::size_t kPartHeadBytesMax = std::size_t{8} << 10;
  static constexpr int kPartsMax = 1'000;

  struct Part {
    std::string name;                     // of the form's field
    std::optional<std::string> filename;  // as it was sent, but for its quotes and escapes
  };
  // The next bytes of the body; empty: its end.
  using More = std::function<absl::StatusOr<Slices>()>;

  MultipartReader(std::string_view boundary, More more);

  // The next part; what is left of the present one is passed over. nullopt: there are no more. kInvalidArgument:
  // malformed, or it ends before its last boundary; or what `more` has failed with.
  absl::StatusOr<std::optional<Part>> NextPart();
  // The next bytes of the part, at most `bytes_max`; empty: its end. Errors as above.
  absl::StatusOr<Slices> ReadPart(std::size_t bytes_max);

 private:
  absl::Status Fill();
  absl::StatusOr<std::string> ReadLine(std::size_t* left);
  absl::StatusOr<Part> ReadPartHead();

  const std::string delimiter_;  // with the line end before it
  const More more_;
  std::string buffer_ = "\r\n";  // the first boundary may begin the body
  bool is_in_part_ = true;       // what comes before the first boundary is passed over as a part would be
  bool is_over_ = false;
  int parts_ = 0;
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_MULTIPART_READER_H_
