#include "server/http/content_disposition.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "server/http/request_target.h"

namespace dfs::http {

std::string AttachmentNamed(std::string_view name) {
  if (const auto slash = name.rfind('/'); slash != std::string_view::npos) {
    name.remove_prefix(slash + 1);
  }
  std::string plain(name);
  // "%" too: some clients decode it where they should not.
  std::replace_if(
      plain.begin(), plain.end(),
      [](char c) { return c < ' ' || c > '~' || c == '"' || c == '\\' || c == '%' || c == '/'; }, '_');
  const std::string fallback = absl::StrCat("attachment; filename=\"", plain, "\"");
  if (plain == name) return fallback;
  return absl::StrCat(fallback, "; filename*=UTF-8''", EncodePercent(name));
}

}  // namespace dfs::http
