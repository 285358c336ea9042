// Transcripts: text files of commands, each followed by what it must print.
//
//   # why, in words; kept as it is, like empty lines
//   > command with arguments
//   what it printed, line by line
//
// Not thread-safe.
#ifndef DFS_TESTS_SCENARIOS_TRANSCRIPT_H_
#define DFS_TESTS_SCENARIOS_TRANSCRIPT_H_

#include <functional>
#include <string>
#include <vector>

namespace dfs {

// What the command prints: lines, none of them empty or beginning with '>' or '#'.
using RunCommand = std::function<std::vector<std::string>(const std::string& command)>;

// Runs all commands of the text. Returns the text with what they really printed in place of what it
// says they print.
std::string RunTranscript(const std::string& text, const RunCommand& run);

// The first place where they differ, with some lines before it; empty if they are equal.
std::string DifferenceOf(const std::string& expected, const std::string& actual);

// Paths of the *.txt files of a folder, sorted.
std::vector<std::string> TranscriptsIn(const std::string& folder);
std::string ReadText(const std::string& path);
void WriteText(const std::string& path, const std::string& text);

// Fails the running test where the transcript at `path` does not print what it says; if `rewrites`,
// puts what it prints into it instead.
void CheckTranscript(const std::string& path, bool rewrites, const RunCommand& run);
// Says how many transcripts there are, with how many claims (`must`).
void PrintProved(const std::string& what, const std::vector<std::string>& paths);

}  // namespace dfs

#endif  // DFS_TESTS_SCENARIOS_TRANSCRIPT_H_
