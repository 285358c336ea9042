#include "tests/scenarios/transcript.h"

#include <glog/logging.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>

namespace dfs {
namespace {

constexpr std::size_t kLinesBeforeDifference = 12;
constexpr std::size_t kLinesOfDifference = 8;

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

void AppendLines(const std::vector<std::string>& lines, std::size_t from, std::size_t count,
                 const char* prefix, std::string& text) {
  for (std::size_t i = from; i < std::min(lines.size(), from + count); ++i) {
    text += prefix + lines[i] + "\n";
  }
}

}  // namespace

std::string RunTranscript(const std::string& text, const RunCommand& run) {
  std::string actual;
  for (const std::string& line : LinesOf(text)) {
    if (!line.empty() && line[0] != '#' && line[0] != '>') continue;  // old output
    actual += line + "\n";
    if (line.empty() || line[0] != '>') continue;
    for (const std::string& printed : run(line.substr(std::min<std::size_t>(2, line.size())))) {
      actual += printed + "\n";
    }
  }
  return actual;
}

std::string DifferenceOf(const std::string& expected, const std::string& actual) {
  const std::vector<std::string> want = LinesOf(expected);
  const std::vector<std::string> got = LinesOf(actual);
  std::size_t at = 0;
  while (at < want.size() && at < got.size() && want[at] == got[at]) ++at;
  if (at == want.size() && at == got.size()) return "";
  std::string text = "line " + std::to_string(at + 1) + ":\n";
  const std::size_t before = std::min(at, kLinesBeforeDifference);
  AppendLines(want, at - before, before, "    ", text);
  AppendLines(want, at, kLinesOfDifference, "  - ", text);
  AppendLines(got, at, kLinesOfDifference, "  + ", text);
  return text;
}

std::vector<std::string> TranscriptsIn(const std::string& folder) {
  std::vector<std::string> paths;
  for (const auto& file : std::filesystem::directory_iterator(folder)) {
    const auto& path = file.path();
    if (path.extension() == ".txt" && path.stem() != "CMakeLists")
      paths.push_back(file.path().string());
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

std::string ReadText(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  CHECK(in) << path;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

void WriteText(const std::string& path, const std::string& text) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out << text;
  CHECK(out.flush()) << path;
}

void CheckTranscript(const std::string& path, bool rewrites, const RunCommand& run) {
  const std::string expected = ReadText(path);
  const std::string actual = RunTranscript(expected, run);
  const std::string difference = DifferenceOf(expected, actual);
  if (difference.empty()) return;
  if (rewrites) {
    WriteText(path, actual);
  } else {
    ADD_FAILURE() << path << ", " << difference;
  }
}

void PrintProved(const std::string& what, const std::vector<std::string>& paths) {
  std::size_t claims = 0;
  for (const std::string& path : paths) {
    const std::vector<std::string> lines = LinesOf(ReadText(path));
    claims += static_cast<std::size_t>(
        std::count_if(lines.begin(), lines.end(),
                      [](const std::string& line) { return line.starts_with("> must "); }));
  }
  std::cout << "PROVED: " << paths.size() << " transcripts of " << what << " hold, with " << claims
            << " claims" << std::endl;
}

}  // namespace dfs
