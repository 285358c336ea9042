// The head of one HTTP/1.1 request.
#ifndef DFS_SERVER_HTTP_REQUEST_HEAD_H_
#define DFS_SERVER_HTTP_REQUEST_HEAD_H_

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace dfs::http {

// What a parser has found well-formed. Names of fields are in lower case; values have no space at either end.
struct RequestHead {
  std::string method;
  std::string target;  // as it was sent
  bool is_http_1_1 = true;
  bool keeps_alive = false;
  // At most one of these: how long the body is. Neither: there is none.
  std::optional<std::uint64_t> content_length;
  bool is_chunked = false;
  bool expects_continue = false;
  std::vector<std::pair<std::string, std::string>> fields;

  [[nodiscard]] bool has_body() const { return is_chunked || content_length.value_or(0) > 0; }
  // The value of a field (name in lower case); several of one name are one list, as the RFC has it. nullopt: absent.
  [[nodiscard]] std::optional<std::string> Find(std::string_view name) const {
    std::optional<std::string> out;
    for (const auto& [key, value] : fields) {
      if (key == name) out = out ? *out + ", " + value : value;
    }
    return out;
  }
  [[nodiscard]] std::size_t CountOf(std::string_view name) const {
    return static_cast<std::size_t>(std::count_if(
        fields.begin(), fields.end(), [&](const auto& field) { return field.first == name; }));
  }
};

}  // namespace dfs::http

#endif  // DFS_SERVER_HTTP_REQUEST_HEAD_H_
