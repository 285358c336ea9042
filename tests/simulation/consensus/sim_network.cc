#include "tests/simulation/consensus/sim_network.h"

namespace dfs::consensus {

void SimNetwork::Send(NodeId from, NodeId to, std::function<void()> arrive) {
  Random& random = world_.random();
  static const std::string kSent = "messages";
  static const std::string kLost = "messages lost";
  static const std::string kCut = "messages into a partition";
  static const std::string kDoubled = "messages doubled";
  static const std::string kStraggling = "messages straggling";
  ++world_.counts[kSent];
  if (IsCut(from, to)) {
    ++world_.counts[kCut];
    return;
  }
  if (random.OneIn(odds_.loss_per_mille, 1000)) {
    ++world_.counts[kLost];
    return;
  }
  int copies = 1;
  if (random.OneIn(odds_.duplicate_per_mille, 1000)) {
    ++world_.counts[kDoubled];
    copies = 2;
  }
  for (int i = 0; i < copies; ++i) {
    absl::Duration delay = world_.Uniform(odds_.delay_min, odds_.delay_max);
    if (random.OneIn(odds_.straggle_per_mille, 1000)) {
      ++world_.counts[kStraggling];
      delay += world_.Uniform(absl::ZeroDuration(), odds_.straggle_max);
    }
    world_.After(delay, [this, from, to, arrive] {
      if (!IsCut(from, to)) arrive();
    });
  }
}

}  // namespace dfs::consensus
