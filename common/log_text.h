// Text of others, made fit for a log: whatever it holds, it cannot end a line, begin another, or steer a terminal.
#ifndef DFS_COMMON_LOG_TEXT_H_
#define DFS_COMMON_LOG_TEXT_H_

#include <string>
#include <string_view>

namespace dfs {

// Control characters (C0, DEL, C1), separators of lines and paragraphs, marks that turn the direction of writing, and bytes
// that are no UTF-8 become \n, \t, \xNN or \uNNNN; all else stays. What it returns it leaves as it is.
std::string OneLine(std::string_view text);

// The same in double quotes; quotes and backslashes get a backslash, so that the end of a value is its own.
std::string QuotedForLog(std::string_view text);

}  // namespace dfs

#endif  // DFS_COMMON_LOG_TEXT_H_
