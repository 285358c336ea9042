#ifndef DFS_SERVER_NODE_WAITER_H_
#define DFS_SERVER_NODE_WAITER_H_

#include <functional>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "common/sync.h"

namespace dfs::node {

// Blocks the caller on a call that answers through a callback.
class Waiter {
 public:
  std::function<void(absl::Status)> Callback() {
    return [state = state_](absl::Status status) {
      state->status = std::move(status);
      state->event.Set();
    };
  }
  absl::Status Wait() {
    state_->event.Wait();
    return state_->status;
  }

 private:
  struct State {
    Event event;
    absl::Status status;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace dfs::node

#endif  // DFS_SERVER_NODE_WAITER_H_
