#include "server/http/http_door.h"

#include <glog/logging.h>

#include <string_view>
#include <utility>

#include "common/log_text.h"
#include "server/http/content_disposition.h"
#include "server/http/error_answer.h"
#include "server/http/json_text.h"
#include "server/http/metrics_page.h"

namespace dfs::http {
namespace {

constexpr std::string_view kUploadPrefix = "/upload/";

bool IsRead(const RequestHead& head) { return head.method == "GET" || head.method == "HEAD"; }

Operation OperationOf(const RequestHead& head, const RequestTarget& target) {
  if (target.path == "/files") return Operation::kList;
  if (head.method == "GET") return Operation::kGet;
  if (head.method == "HEAD") return Operation::kStat;
  return head.method == "DELETE" ? Operation::kRemove : Operation::kPut;
}

// Of the file, or what the names of a list begin with. Empty: a form has several.
std::string NameIn(const RequestTarget& target) {
  if (target.path.starts_with(kUploadPrefix)) return target.path.substr(kUploadPrefix.size());
  return target.Find(target.path == "/byname" ? "filename" : "prefix").value_or("");
}

absl::Status ResultOf(int code) {
  if (code < 400) return absl::OkStatus();
  const std::string text = "HTTP " + std::to_string(code);
  return code < 500 ? absl::InvalidArgumentError(text) : absl::UnavailableError(text);
}

Response JsonAnswer(int code, std::string body) {
  Response out;
  out.code = code;
  out.body = std::move(body);
  return out;
}

}  // namespace

HttpDoor::HttpDoor(Parts parts)
    : parts_(std::move(parts)), changes_(parts_.files), routes_(parts_.files, &changes_),
      form_(&changes_, parts_.form_bytes_max, [this] { return routes_.LeaderAddress(); }) {}

void HttpDoor::Serve(Exchange& exchange) {
  ++running_;
  const MonotonicTime start = exchange.clock().Now();
  const auto target = ParseTarget(exchange.head().target);
  if (target.ok()) {
    Route(exchange, *target);
  } else {
    exchange.Answer(AnswerOf(target.status(), false, ""));
  }
  // While there is no quorum every request is one of these.
  LOG_IF_EVERY_N(WARNING, exchange.code() >= 500, 100)
      << "http " << exchange.head().method << " " << QuotedForLog(exchange.head().target) << ": "
      << exchange.code() << " (" << google::COUNTER << " of this kind)";
  VLOG(1) << "http " << exchange.head().method << " target=" << QuotedForLog(exchange.head().target)
          << " code=" << exchange.code() << " bytes_in=" << exchange.body_bytes()
          << " bytes_out=" << exchange.sent_bytes()
          << " all_ms=" << absl::ToDoubleMilliseconds(exchange.clock().Now() - start);
  --running_;
}

void HttpDoor::Route(Exchange& exchange, const RequestTarget& target) {
  const bool is_of_files = target.path.starts_with(kUploadPrefix) || target.path == "/" ||
                           target.path == "/files" || target.path == "/byname";
  if (!is_of_files) return RouteNode(exchange, target);
  const Admission::Ticket ticket(&transfers_);
  if (ticket.is_admitted()) {
    OperationTimer timer(parts_.metrics, &exchange.clock(), Door::kHttp,
                         OperationOf(exchange.head(), target));
    exchange.set_phases(&timer.phases);
    timer.About(target.Find("bucket").value_or(""), NameIn(target));
    RouteFiles(exchange, target);
    exchange.set_phases(nullptr);
    timer.bytes_in = exchange.body_bytes();
    timer.bytes_out = exchange.sent_bytes();
    [[maybe_unused]] const absl::Status ignored = timer.End(ResultOf(exchange.code()));
    return;
  }
  Response busy = PlainError(503, "too many transfers at this node; try another or later");
  busy.fields.emplace_back("Retry-After", "1");
  exchange.Answer(busy);
}

void HttpDoor::RouteFiles(Exchange& exchange, const RequestTarget& target) {
  if (target.path == "/") {
    if (exchange.head().method != "POST") return exchange.Answer(MethodNotAllowed("POST"));
    return form_.Post(exchange, target);
  }
  if (target.path != "/files" && target.path != "/byname") return RouteUpload(exchange, target);
  if (!IsRead(exchange.head())) return exchange.Answer(MethodNotAllowed("GET, HEAD"));
  if (target.path == "/files") return routes_.List(exchange, target);
  const auto name = target.Find("filename");
  if (!name) return exchange.Answer(PlainError(400, "the parameter filename is missing"));
  routes_.Get(exchange, target, *name, AttachmentNamed(*name));
}

void HttpDoor::RouteUpload(Exchange& exchange, const RequestTarget& target) {
  const std::string name = target.path.substr(kUploadPrefix.size());
  const std::string& method = exchange.head().method;
  if (IsRead(exchange.head())) return routes_.Get(exchange, target, name, "");
  if (method == "PUT" || method == "POST") return routes_.Put(exchange, target, name);
  if (method == "DELETE") return routes_.Remove(exchange, target, name);
  exchange.Answer(MethodNotAllowed("GET, HEAD, PUT, POST, DELETE"));
}

void HttpDoor::RouteNode(Exchange& exchange, const RequestTarget& target) {
  const bool is_known =
      target.path == "/status" || target.path == "/metrics" || target.path == "/healthz" || target.path == "/readyz";
  if (!is_known) return exchange.Answer(PlainError(404, "there is nothing at this path"));
  if (!IsRead(exchange.head())) return exchange.Answer(MethodNotAllowed("GET, HEAD"));
  if (target.path == "/healthz") return AnswerHealth(exchange);
  if (target.path == "/readyz") return AnswerReady(exchange, target);
  if (target.path == "/metrics") return AnswerMetrics(exchange);
  exchange.Answer(JsonAnswer(200, StatusJson(parts_.status(), parts_.files->parts().self.value(),
                                             exchange.clock().WallNow())));
}

void HttpDoor::AnswerMetrics(Exchange& exchange) {
  const v1::StatusResponse status = parts_.status();
  MetricsSources sources;
  sources.operations = parts_.metrics;
  sources.status = &status;
  sources.self = parts_.files->parts().self.value();
  sources.is_serving = is_serving_;
  sources.http_requests = running_;
  sources.puts = parts_.files->parked_puts()->counts();
  Response out;
  out.content_type = kMetricsType;
  out.body = MetricsText(sources);
  exchange.Answer(out);
}

void HttpDoor::AnswerHealth(Exchange& exchange) {
  const absl::Status health = parts_.files->parts().store->Health();
  exchange.Answer(health.ok() ? JsonAnswer(200, "{\"status\":\"ok\"}\n")
                              : PlainError(503, std::string(health.message())));
}

void HttpDoor::AnswerReady(Exchange& exchange, const RequestTarget& target) {
  if (!is_serving_) {
    return exchange.Answer(PlainError(503, "this node cannot serve: it knows no leader"));
  }
  const std::string maintenance = target.Find("maintenance").value_or("false");
  if (maintenance == "false") return exchange.Answer(JsonAnswer(200, "{\"status\":\"ready\"}\n"));
  if (maintenance != "true") {
    return exchange.Answer(PlainError(400, "maintenance is true or false"));
  }
  const auto verdict = parts_.ok_to_stop();
  if (!verdict.ok()) {
    return exchange.Answer(AnswerOf(verdict.status(), false, routes_.LeaderAddress()));
  }
  exchange.Answer(JsonAnswer(verdict->is_ok() ? 200 : 412, OkToStopJson(*verdict)));
}

}  // namespace dfs::http
