#include "client/cli/progress_line.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

#include "client/cli/text.h"

namespace dfs::client::cli {
namespace {

constexpr absl::Duration kBarPeriod = absl::Milliseconds(100);
constexpr absl::Duration kLinePeriod = absl::Seconds(1);

}  // namespace

ProgressStyle StyleFor(const GlobalFlags& flags, bool is_terminal) {
  if (flags.is_json) return flags.shows_progress ? ProgressStyle::kJson : ProgressStyle::kNone;
  if (flags.is_quiet) return ProgressStyle::kNone;
  if (is_terminal) return ProgressStyle::kBar;
  return flags.shows_progress ? ProgressStyle::kLines : ProgressStyle::kNone;
}

std::string FormatProgress(const std::string& name, std::uint64_t bytes, std::uint64_t total,
                           absl::Duration elapsed) {
  const double seconds = absl::ToDoubleSeconds(elapsed);
  const auto rate = seconds > 0 ? static_cast<std::uint64_t>(static_cast<double>(bytes) / seconds)
                                : std::uint64_t{0};
  std::string out = name + "  ";
  if (total > 0) {
    const int percent =
        static_cast<int>(100.0 * static_cast<double>(bytes) / static_cast<double>(total));
    out += std::to_string(percent) + "%  ";
  }
  return out + FormatBytes(bytes, true) + "  " + FormatBytes(rate, true) + "/s";
}

ProgressLine::ProgressLine(const Session& session, std::string name)
    : style_(StyleFor(session.flags(), ::isatty(STDERR_FILENO) == 1)),
      name_(std::move(name)),
      began_(SystemClock().Now()),
      drawn_(began_) {}

ProgressLine::~ProgressLine() { Clear(); }

void ProgressLine::Clear() {
  if (is_drawn_ && style_ == ProgressStyle::kBar) std::fputs("\r\x1B[K", stderr);
  is_drawn_ = false;
}

void ProgressLine::Update(std::uint64_t bytes, std::uint64_t total) {
  if (style_ == ProgressStyle::kNone) return;
  const MonotonicTime now = SystemClock().Now();
  if (now - drawn_ < (style_ == ProgressStyle::kBar ? kBarPeriod : kLinePeriod)) return;
  drawn_ = now;
  is_drawn_ = true;
  if (style_ == ProgressStyle::kJson) {
    const Json json = {{"status", "progress"}, {"name", name_}, {"bytes", bytes}, {"total", total}};
    std::fprintf(stderr, "%s\n", Line(json).c_str());
    return;
  }
  const std::string text = FormatProgress(name_, bytes, total, now - began_);
  if (style_ == ProgressStyle::kBar) {
    std::fprintf(stderr, "\r%s\x1B[K", text.c_str());
  } else {
    std::fprintf(stderr, "%s\n", text.c_str());
  }
}

}  // namespace dfs::client::cli
