#include "client/cli/backup_object.h"

#include <filesystem>
#include <optional>
#include <system_error>
#include <utility>

#include "client/caller.h"
#include "client/cli/backup_manifest.h"
#include "client/cli/text.h"
#include "client/posix_byte_stream.h"
#include "client/posix_partial_file.h"
#include "common/status_macros.h"
#include "proto/error_detail.h"

namespace dfs::client::cli {
namespace {

// No other node and no other try makes it better.
absl::Status Damaged(const std::string& path, const std::string& what) {
  return Final(ErrorWithReason(absl::StatusCode::kDataLoss, path + " " + what, v1::ErrorDetail::BAD_CHECKSUM));
}

class CheckedSource final : public ByteSource {
 public:
  CheckedSource(std::string path, v1::FileInfo file, std::unique_ptr<ByteSource> source)
      : path_(std::move(path)), file_(std::move(file)), source_(std::move(source)) {}

  [[nodiscard]] std::optional<std::uint64_t> size() const override { return file_.size(); }
  [[nodiscard]] absl::StatusOr<Slices> Read(std::size_t bytes_max) override {
    DFS_ASSIGN_OR_RETURN(Slices bytes, source_->Read(bytes_max));
    sums_.Add(bytes);
    if (sums_.length() == file_.size() && !sums_.IsOf(file_)) return Damaged(path_, "is damaged: its checksum is another");
    return bytes;
  }
  [[nodiscard]] bool Rewind() override {
    sums_ = ContentSums();
    return source_->Rewind();
  }

 private:
  const std::string path_;
  const v1::FileInfo file_;
  const std::unique_ptr<ByteSource> source_;
  ContentSums sums_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<ByteSource>> OpenObject(const std::string& path, const v1::FileInfo& file) {
  std::error_code error;
  if (std::filesystem::symlink_status(path, error).type() == std::filesystem::file_type::not_found) {
    return Damaged(path, "is missing");
  }
  DFS_ASSIGN_OR_RETURN(auto source, OpenFileSource(path));
  if (source->size() != file.size()) return Damaged(path, "is damaged: its length is another");
  return std::make_unique<CheckedSource>(path, file, std::move(source));
}

absl::Status CheckObject(const std::string& path, const v1::FileInfo& file, const OnProgress& on_progress) {
  DFS_ASSIGN_OR_RETURN(const auto source, OpenObject(path, file));
  for (std::uint64_t done = 0;;) {
    DFS_ASSIGN_OR_RETURN(const Slices bytes, source->Read(kLocalReadBytes));
    if (bytes.empty()) return absl::OkStatus();
    done += bytes.size();
    if (on_progress) on_progress(done, file.size());
  }
}

bool HasSameBytes(const v1::FileInfo& a, const v1::FileInfo& b) {
  return a.size() == b.size() && a.crc32c() == b.crc32c() && a.content_hash() == b.content_hash();
}

Json JsonOfBackedUp(const v1::FileInfo& file) {
  Json json = {{"status", "success"}, {"name", file.name()}, {"bucket", file.bucket()}};
  json["size"] = file.size();
  json["version"] = file.version();
  json["time"] = FormatTime(file.time_us());
  json["time_us"] = file.time_us();
  json["crc32c"] = FormatCrc(file.crc32c());
  json["content_hash"] = FormatHex(file.content_hash());
  json["object"] = ObjectPathOf(ObjectNameOf(file));
  return json;
}

}  // namespace dfs::client::cli
