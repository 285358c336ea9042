#include "tests/support/http_client.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"

namespace dfs::testing {
namespace {

constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
constexpr std::size_t kReadBytes = std::size_t{256} << 10;

bool AwaitInput(int descriptor) {
  pollfd poll_for{descriptor, POLLIN, 0};
  return ::poll(&poll_for, 1, static_cast<int>(absl::ToInt64Milliseconds(HttpClient::kPatience))) > 0;
}

}  // namespace

bool HttpClient::Connect() {
  Close();
  const auto colon = address_.rfind(':');
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (::getaddrinfo(address_.substr(0, colon).c_str(), address_.substr(colon + 1).c_str(), &hints,
                    &found) != 0) {
    return false;
  }
  descriptor_ = ::socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool is_connected = ::connect(descriptor_, found->ai_addr, found->ai_addrlen) == 0;
  ::freeaddrinfo(found);
  const int on = 1;  // head and body are sent apart
  ::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (!is_connected) Close();
  return is_connected;
}

void HttpClient::Close() {
  if (descriptor_ >= 0) ::close(descriptor_);
  descriptor_ = -1;
  unread_.clear();
}

bool HttpClient::Write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

std::string_view HttpClient::Read() {
  if (descriptor_ < 0 || !AwaitInput(descriptor_)) return {};
  buffer_.resize(kReadBytes);
  const ssize_t got = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
  return {buffer_.data(), static_cast<std::size_t>(std::max<ssize_t>(got, 0))};
}

bool HttpClient::Fill() {
  const std::string_view more = Read();
  unread_ += more;
  return !more.empty();
}

std::string HttpClient::Raw(std::string_view bytes) {
  if (!Connect()) return "";
  Write(bytes);
  while (Fill()) {
  }
  return unread_;
}

void HttpClient::WriteHead(std::string_view method, std::string_view target, const Fields& fields,
                           std::string_view framing) {
  std::string head = absl::StrCat(std::string(method), " ", std::string(target),
                                  " HTTP/1.1\r\nHost: ", address_, "\r\n");
  for (const auto& [name, value] : fields) absl::StrAppend(&head, name, ": ", value, "\r\n");
  // The server may have closed a connection that was idle.
  pollfd poll_for{descriptor_, POLLIN, 0};
  if (descriptor_ < 0 || ::poll(&poll_for, 1, 0) > 0) {
    if (!Connect()) return;
  }
  Write(absl::StrCat(head, std::string(framing), "\r\n"));
}

HttpAnswer HttpClient::Ask(std::string_view method, std::string_view target, const Fields& fields,
                           std::string_view body) {
  const bool has_length = method == "PUT" || method == "POST" || !body.empty();
  WriteHead(method, target, fields,
            has_length ? absl::StrCat("Content-Length: ", body.size(), "\r\n") : "");
  if (descriptor_ >= 0) Write(body);
  return ReadAnswer(method == "HEAD", {});
}

HttpAnswer HttpClient::Send(std::string_view method, std::string_view target,
                            client::ByteSource& source) {
  const auto size = source.size();
  WriteHead(method, target, {},
            size ? absl::StrCat("Content-Length: ", *size, "\r\n") : "Transfer-Encoding: chunked\r\n");
  std::uint64_t sent = 0;
  while (descriptor_ >= 0 && (!size || sent < *size)) {
    const auto piece = source.Read(kPieceBytes);
    if (!piece.ok() || piece->empty()) break;
    bool is_open = size || Write(absl::StrCat(absl::Hex(piece->size()), "\r\n"));
    for (const auto view : piece->Views()) is_open = is_open && Write(view);
    if (!is_open || (!size && !Write("\r\n"))) break;
    sent += piece->size();
  }
  if (!size) Write("0\r\n\r\n");
  return ReadAnswer(false, {});
}

HttpAnswer HttpClient::Receive(std::string_view target, const Take& take) {
  WriteHead("GET", target, {}, "");
  return ReadAnswer(false, take);
}

HttpAnswer HttpClient::ReadAnswer(bool is_head, const Take& take_body) {
  HttpAnswer out;
  std::size_t end = 0;
  do {  // 100 Continue is no answer
    while ((end = unread_.find("\r\n\r\n")) == std::string::npos) {
      if (!Fill()) return out;
    }
    std::string head = unread_.substr(0, end + 2);
    unread_.erase(0, end + 4);
    out.code = std::atoi(head.c_str() + std::min<std::size_t>(head.size(), 9));
    out.fields.clear();
    for (auto at = head.find("\r\n") + 2; at < head.size();) {
      const auto line_end = head.find("\r\n", at);
      const std::string line = head.substr(at, line_end - at);
      const auto colon = std::min(line.find(": "), line.size());
      out.fields[absl::AsciiStrToLower(line.substr(0, colon))] =
          line.substr(std::min(line.size(), colon + 2));
      at = line_end + 2;
    }
  } while (out.code == 100);
  const Take take = [&](std::string_view bytes) {
    if (take_body && out.code == 200) return take_body(bytes);
    out.body += bytes;
    return true;
  };
  if (is_head || out.code == 304) {
    out.is_whole = true;
  } else if (out.Field("transfer-encoding") == "chunked") {
    out.is_whole = ReadChunks(take);
  } else {
    out.is_whole = ReadLength(std::stoull("0" + out.Field("content-length")), take);
  }
  if (!out.is_whole || out.Field("connection") == "close") Close();
  return out;
}

bool HttpClient::ReadLength(std::uint64_t length, const Take& take) {
  while (length > 0) {
    const std::string held = std::exchange(unread_, {});
    const std::string_view bytes = held.empty() ? Read() : std::string_view(held);
    if (bytes.empty()) return false;
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), length));
    unread_ = bytes.substr(part);
    if (!take(bytes.substr(0, part))) return false;
    length -= part;
  }
  return true;
}

bool HttpClient::ReadChunks(const Take& take) {
  while (true) {
    std::size_t end = 0;
    while ((end = unread_.find("\r\n")) == std::string::npos) {
      if (!Fill()) return false;
    }
    std::uint64_t size = 0;
    std::from_chars(unread_.data(), unread_.data() + end, size, 16);
    unread_.erase(0, end + 2);
    if (size > 0 && !ReadLength(size, take)) return false;
    while (unread_.size() < 2) {
      if (!Fill()) return false;
    }
    unread_.erase(0, 2);
    if (size == 0) return true;
  }
}

}  // namespace dfs::testing
