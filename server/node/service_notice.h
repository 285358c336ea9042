// Tells the service manager that started this process (systemd, Type=notify) how far it is.
//
// The protocol is one datagram to the socket that NOTIFY_SOCKET names; systemd documents it for programs that do without its library.
// The library is not linked for it: it would bring compression and cryptography into this process, for one sendto.
#ifndef DFS_SERVER_NODE_SERVICE_NOTICE_H_
#define DFS_SERVER_NODE_SERVICE_NOTICE_H_

#include <string_view>

namespace dfs::node {

// Sends `state`, lines like "READY=1" or "STATUS=text", at most 4 KiB. Does nothing without NOTIFY_SOCKET; a manager that does not
// listen is logged and otherwise ignored: a node serves files whether or not somebody watches. Never blocks; any thread.
void NotifyService(std::string_view state);

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_SERVICE_NOTICE_H_
