#include "server/http/upload_form.h"

#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/http/error_answer.h"
#include "server/http/json_text.h"
#include "server/http/multipart_reader.h"

namespace dfs::http {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;

}  // namespace

std::string FormatLimit(std::uint64_t bytes) {
  for (const auto& [shift, unit] : {std::pair{40, "TB"}, {30, "GB"}, {20, "MB"}, {10, "KB"}}) {
    if (bytes > 0 && bytes % (std::uint64_t{1} << shift) == 0) {
      return absl::StrCat(bytes >> shift, unit);
    }
  }
  return absl::StrCat(bytes, " bytes");
}

UploadForm::UploadForm(Changes* changes, std::uint64_t body_bytes_max,
                       std::function<std::string()> leader_address)
    : changes_(changes),
      body_bytes_max_(body_bytes_max),
      leader_address_(std::move(leader_address)) {}

void UploadForm::Post(Exchange& exchange, const RequestTarget& target) {
  const auto boundary = BoundaryOf(exchange.head().Find("content-type").value_or(""));
  if (!boundary) {
    return exchange.Answer(PlainError(400, "Content-Type must be multipart/form-data"));
  }
  if (boundary->empty()) {
    return exchange.Answer(PlainError(400, "Content-Type has no boundary, or not a valid one"));
  }
  if (exchange.head().content_length.value_or(0) >= body_bytes_max_) {
    return exchange.Answer(
        PlainError(413, "Content-Length must be less than " + FormatLimit(body_bytes_max_)));
  }
  Store(exchange, target.Find("bucket").value_or(""), *boundary);
}

void UploadForm::Store(Exchange& exchange, const std::string& bucket, const std::string& boundary) {
  std::vector<v1::FileInfo> files;
  std::vector<std::string> names;
  bool is_body_lost = false;
  bool is_too_long = false;
  MultipartReader reader(boundary, [&]() -> absl::StatusOr<Slices> {
    auto piece = exchange.ReadBody(kPieceBytes);
    // A chunked one tells no length.
    is_too_long = exchange.body_bytes() >= body_bytes_max_;
    is_body_lost = !piece.ok() || is_too_long;
    if (is_too_long) return absl::OutOfRangeError("the body is too long");
    return piece;
  });
  while (true) {
    const auto part = reader.NextPart();
    absl::Status status = part.status();
    bool is_form_bad = !part.ok();
    if (part.ok() && !*part) break;
    if (part.ok()) {
      if (!(*part)->filename) continue;
      v1::PutHeader header;
      header.set_bucket(bucket);
      header.set_name(*(*part)->filename);
      auto stored = changes_->Put(std::move(header), [&] {
        auto piece = reader.ReadPart(kPieceBytes);
        is_form_bad = !piece.ok();
        return piece;
      }, exchange.phases());
      status = stored.status();
      if (stored.ok()) {
        names.push_back(stored->info().name());
        files.push_back(std::move(*stored->mutable_info()));
        continue;
      }
    }
    if (is_too_long) {
      return exchange.Answer(
          PlainError(413, "Content-Length must be less than " + FormatLimit(body_bytes_max_)));
    }
    return exchange.Answer(is_form_bad || is_body_lost
                               ? BodyError(status, names)
                               : AnswerOf(status, true, leader_address_(), names));
  }
  if (files.empty()) return exchange.Answer(PlainError(400, "the form has no part with a filename"));
  Response out;
  out.body = FilesJson(files);
  exchange.Answer(out);
}

}  // namespace dfs::http
