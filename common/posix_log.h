// The log of a server: glog's, one event a line on standard error.
#ifndef DFS_COMMON_POSIX_LOG_H_
#define DFS_COMMON_POSIX_LOG_H_

namespace dfs {

// Once, instead of google::InitGoogleLogging, by the thread that has the process to itself. `program` outlives the process.
//
// Every message goes to standard error as one line in one write, in glog's usual form (level, day, time, thread, place), as
// OneLine (log_text.h) leaves it: so a line of the log was written as one event by the place that it names. Only the trace of a
// process that ends because of its own mistake takes several lines, after its own.
void StartLog(const char* program);

}  // namespace dfs

#endif  // DFS_COMMON_POSIX_LOG_H_
