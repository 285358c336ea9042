#include "server/http/beast_parser.h"

// What clients send must never stop the process: one of this release's assertions fails when a last chunk comes in two
// pieces, though the code after it is right (framing_test.cc goes through all pieces).
#define BOOST_DISABLE_ASSERTS

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/basic_parser.hpp>
#include <cstdint>
#include <limits>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/http/header_block.h"

namespace dfs::http {
namespace {

using Error = boost::system::error_code;
using View = boost::beast::string_view;

std::string_view ToStd(View text) { return {text.data(), text.size()}; }

}  // namespace

class BeastParser::Events final : public boost::beast::http::basic_parser<true> {
 public:
  Events() {
    header_limit(static_cast<std::uint32_t>(kHeadBytesMax));
    // boost::none refuses every body in this release of the library.
    body_limit(std::numeric_limits<std::uint64_t>::max());
  }

  RequestHead head;
  std::string_view data;
  std::size_t data_max = 0;

 private:
  void on_request_impl(boost::beast::http::verb /*verb*/, View method, View target, int version,
                       Error& /*error*/) override {
    head.method = ToStd(method);
    head.target = ToStd(target);
    head.is_http_1_1 = version == 11;
  }
  void on_field_impl(boost::beast::http::field /*field*/, View name, View value,
                     Error& /*error*/) override {
    if (is_in_trailer_) return;
    head.fields.emplace_back(absl::AsciiStrToLower({name.data(), name.size()}),
                             std::string(ToStd(value)));
  }
  void on_header_impl(Error& /*error*/) override { is_in_trailer_ = true; }
  void on_chunk_header_impl(std::uint64_t /*size*/, View /*extensions*/,
                            Error& /*error*/) override {}
  std::size_t on_chunk_body_impl(std::uint64_t /*left*/, View body, Error& /*error*/) override {
    data = ToStd(body).substr(0, data_max);
    return data.size();
  }
  std::size_t on_body_impl(View body, Error& /*error*/) override { return body.size(); }
  void on_finish_impl(Error& /*error*/) override {}
  void on_response_impl(int, View, int, Error&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>& /*length*/,
                         Error& /*error*/) override {}

  bool is_in_trailer_ = false;
};

BeastParser::BeastParser() : events_(std::make_unique<Events>()) {}
BeastParser::~BeastParser() = default;

absl::StatusOr<RequestHead> BeastParser::ParseHead(std::string_view block) {
  Error error;
  std::size_t consumed = 0;
  // One step for the request line, one for the fields.
  while (!events_->is_header_done()) {
    const std::size_t step =
        events_->put(boost::asio::buffer(block.data() + consumed, block.size() - consumed), error);
    if (error || (step == 0 && !events_->is_header_done())) {
      return absl::InvalidArgumentError(
          absl::StrCat("malformed header: ", error ? error.message() : "it has no end"));
    }
    consumed += step;
  }
  RequestHead& head = events_->head;
  if (const auto status = CheckFields(head); !status.ok()) return status;
  if (consumed != block.size()) return absl::InvalidArgumentError("malformed header");
  head.is_chunked = events_->chunked();
  if (!head.is_chunked && events_->content_length().has_value()) {
    head.content_length = *events_->content_length();
  }
  if (head.is_chunked != (head.CountOf("transfer-encoding") > 0)) {
    return absl::InvalidArgumentError("malformed Transfer-Encoding");
  }
  head.keeps_alive = events_->keep_alive();
  head.expects_continue = head.is_http_1_1 && head.CountOf("expect") > 0;
  return std::move(head);
}

absl::StatusOr<BeastParser::Step> BeastParser::ParseChunked(std::string_view bytes,
                                                             std::size_t data_max) {
  events_->data_max = data_max;
  Step out;
  while (true) {
    if (events_->is_done()) {
      out.is_end = true;
      return out;
    }
    const std::string_view rest = bytes.substr(out.consumed);
    if (rest.empty()) return out;
    Error error;
    events_->data = {};
    out.consumed += events_->put(boost::asio::buffer(rest.data(), rest.size()), error);
    if (error == boost::beast::http::error::need_more) return out;
    if (error) {
      return absl::InvalidArgumentError(absl::StrCat("malformed chunk: ", error.message()));
    }
    if (!events_->data.empty()) {
      out.data = events_->data;
      return out;
    }
  }
}

}  // namespace dfs::http
