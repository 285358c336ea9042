#include "server/http/response.h"

#include "absl/strings/str_cat.h"
#include "server/http/http_date.h"

namespace dfs::http {

std::string_view ReasonPhrase(int code) {
  switch (code) {
    case 200: return "OK";
    case 201: return "Created";
    case 206: return "Partial Content";
    case 304: return "Not Modified";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 408: return "Request Timeout";
    case 409: return "Conflict";
    case 411: return "Length Required";
    case 412: return "Precondition Failed";
    case 413: return "Content Too Large";
    case 414: return "URI Too Long";
    case 416: return "Range Not Satisfiable";
    case 431: return "Request Header Fields Too Large";
    case 500: return "Internal Server Error";
    case 501: return "Not Implemented";
    case 503: return "Service Unavailable";
    case 504: return "Gateway Timeout";
    case 507: return "Insufficient Storage";
    default: return "Unknown";
  }
}

std::string HeadOf(const Response& response, Framing framing, std::uint64_t length, bool keeps_alive,
                   absl::Time now) {
  std::string out = absl::StrCat("HTTP/1.1 ", response.code, " ",
                                 std::string(ReasonPhrase(response.code)), "\r\nDate: ",
                                 FormatHttpDate(now), "\r\n");
  if (!response.content_type.empty()) {
    absl::StrAppend(&out, "Content-Type: ", response.content_type,
                    "\r\nX-Content-Type-Options: nosniff\r\n");
  }
  for (const auto& [name, value] : response.fields) absl::StrAppend(&out, name, ": ", value, "\r\n");
  if (framing == Framing::kChunked) {
    absl::StrAppend(&out, "Transfer-Encoding: chunked\r\n");
  } else if (framing == Framing::kLength && response.code != 304) {
    absl::StrAppend(&out, "Content-Length: ", length, "\r\n");
  }
  absl::StrAppend(&out, keeps_alive ? "Connection: keep-alive\r\n\r\n" : "Connection: close\r\n\r\n");
  return out;
}

}  // namespace dfs::http
