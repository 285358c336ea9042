#include "common/posix_log.h"

#include <glog/logging.h>
#include <unistd.h>

#include <cerrno>
#include <string>
#include <string_view>

#include "common/log_text.h"

namespace dfs {
namespace {

class LineSink final : public google::LogSink {
 public:
  using google::LogSink::send;
  // glog calls one at a time, and holds its lock: nothing here may log.
  void send(google::LogSeverity severity, const char* /*full_filename*/, const char* base_filename, int line,
            const google::LogMessageTime& time, const char* message, std::size_t message_len) override {
    const std::string text = OneLine({message, message_len});
    std::string out = ToString(severity, base_filename, line, time, text.data(), text.size());
    out += '\n';
    std::string_view left = out;
    while (!left.empty()) {
      const ssize_t wrote = ::write(STDERR_FILENO, left.data(), left.size());
      if (wrote < 0 && errno == EINTR) continue;
      if (wrote < 0) return;  // there is no other place to say it
      left.remove_prefix(static_cast<std::size_t>(wrote));
    }
  }
};

}  // namespace

void StartLog(const char* program) {
  google::InitGoogleLogging(program);
  // Neither files nor glog's own lines: the sink is all there is.
  for (const auto severity : {google::GLOG_INFO, google::GLOG_WARNING, google::GLOG_ERROR, google::GLOG_FATAL}) {
    google::SetLogDestination(severity, "");
  }
  FLAGS_logtostderr = false;
  FLAGS_alsologtostderr = false;
  FLAGS_stderrthreshold = google::NUM_SEVERITIES;
  static LineSink* const sink = new LineSink();  // as long as any thread may log
  google::AddLogSink(sink);
}

}  // namespace dfs
