// LineSource by libedit. Nobody else includes it.
#include <histedit.h>

#include <cstdio>
#include <iostream>
#include <utility>

#include "client/cli/line_source.h"

namespace dfs::client::cli {
namespace {

constexpr int kHistoryLines = 1'000;
constexpr char kPrompt[] = "dfs> ";
constexpr char kTabFunction[] = "dfs-complete";
constexpr wchar_t kTabFunctionWide[] = L"dfs-complete";

class Plain final : public LineSource {
 public:
  std::optional<std::string> Next() override {
    std::string line;
    if (!std::getline(std::cin, line)) return std::nullopt;
    return line;
  }
};

class Edited final : public LineSource {
 public:
  Edited(std::string history_path, Completer complete)
      : history_path_(std::move(history_path)), complete_(std::move(complete)) {}
  ~Edited() override {
    if (history_ != nullptr) history_end(history_);
    if (line_ != nullptr) el_end(line_);
  }
  Edited(const Edited&) = delete;
  Edited& operator=(const Edited&) = delete;

  bool Begin() {
    line_ = el_init("dfs-cli", stdin, stderr, stderr);
    history_ = history_init();
    if (line_ == nullptr || history_ == nullptr) return false;
    HistEvent event;
    history(history_, &event, H_SETSIZE, kHistoryLines);
    history(history_, &event, H_SETUNIQUE, 1);
    if (!history_path_.empty()) history(history_, &event, H_LOAD, history_path_.c_str());
    el_set(line_, EL_CLIENTDATA, this);
    el_set(line_, EL_PROMPT, &Edited::Prompt);
    el_set(line_, EL_EDITOR, "emacs");
    el_set(line_, EL_SIGNAL, 1);
    el_set(line_, EL_HIST, history, history_);
    // Wide, and so kept as they are: el_set makes copies of both and loses them.
    el_wset(line_, EL_ADDFN, kTabFunctionWide, L"completes the word", &Edited::Tab);
    el_set(line_, EL_BIND, "^I", kTabFunction, nullptr);
    el_source(line_, nullptr);  // ~/.editrc
    return true;
  }

  std::optional<std::string> Next() override {
    int size = 0;
    const char* const text = el_gets(line_, &size);
    if (text == nullptr || size <= 0) {
      std::fputc('\n', stderr);
      return std::nullopt;
    }
    std::string line(text, static_cast<std::size_t>(size));
    HistEvent event;
    if (line.find_first_not_of(" \t\r\n") != std::string::npos) {
      history(history_, &event, H_ENTER, line.c_str());
      if (!history_path_.empty()) history(history_, &event, H_SAVE, history_path_.c_str());
    }
    while (!line.empty() && (line.back() == '\n' || line.back() == '\r')) line.pop_back();
    return line;
  }

 private:
  static char* Prompt(EditLine* /*line*/) { return const_cast<char*>(kPrompt); }  // libedit only reads it

  static unsigned char Tab(EditLine* line, int /*key*/) {
    Edited* self = nullptr;
    el_get(line, EL_CLIENTDATA, &self);
    const LineInfo* const now = el_line(line);
    const Completion found =
        self->complete_(std::string_view(now->buffer, static_cast<std::size_t>(now->cursor - now->buffer)));
    if (found.candidates.empty()) return CC_REFRESH_BEEP;
    const bool is_only = found.candidates.size() == 1;
    const std::string text = found.common + (is_only && !found.common.ends_with('/') ? " " : "");
    if (text.size() > found.typed.size()) {
      el_deletestr(line, static_cast<int>(found.typed.size()));
      return el_insertstr(line, text.c_str()) == 0 ? CC_REFRESH : CC_ERROR;
    }
    std::fputc('\n', stderr);
    for (const auto& candidate : found.candidates) std::fprintf(stderr, "%s\n", candidate.c_str());
    return CC_REDISPLAY;
  }

  const std::string history_path_;
  const Completer complete_;
  EditLine* line_ = nullptr;
  History* history_ = nullptr;
};

}  // namespace

std::unique_ptr<LineSource> PlainLines() { return std::make_unique<Plain>(); }

std::unique_ptr<LineSource> EditedLines(const std::string& history_path, Completer complete) {
  auto source = std::make_unique<Edited>(history_path, std::move(complete));
  if (!source->Begin()) return nullptr;
  return source;
}

}  // namespace dfs::client::cli
