// Stops a node from deleting too much at once on the word of a leader that may be mistaken (rule
// R20).
//
// Counts, over one walk through all chunks of the node, the bytes that verdicts of the doubtful
// kinds would take: "no version names it, its transaction is of an older term" and "other nodes
// hold it in full", unless the log itself has put the copy aside. More than a twentieth of the
// node's bytes (above 1 GiB) blows the fuse: nothing of these kinds goes any more, until an
// operator confirms, or a whole walk finds that the reason has gone.
//
// Pure. Not thread-safe.
#ifndef DFS_SERVER_LEADER_COLLECTION_FUSE_H_
#define DFS_SERVER_LEADER_COLLECTION_FUSE_H_

#include <algorithm>
#include <cstdint>

namespace dfs::leader {

class CollectionFuse {
 public:
  static constexpr std::uint64_t kShare = 20;  // one part of so many: 5 %

  explicit CollectionFuse(std::uint64_t bytes_min) : bytes_min_(bytes_min) {}

  void BeginWalk(std::uint64_t stored_bytes) {
    walk_bytes_ = 0;
    limit_bytes_ = std::max(bytes_min_, stored_bytes / kShare);
  }
  // Whether chunks of doubtful kinds, so many bytes that are not in the node's trash yet, may go. All or none of them.
  [[nodiscard]] bool Allow(std::uint64_t bytes);
  // The walk has seen every chunk.
  void EndWalk() {
    const bool is_within = walk_bytes_ <= limit_bytes_;
    if (is_within) is_confirmed_ = is_blown_ = false;
    withheld_bytes_ = is_blown_ ? walk_bytes_ : 0;
  }
  // An operator's word that what is withheld may go. Holds until a walk finds no more than usual. Without anything withheld
  // it does nothing: nobody confirms what is not known yet.
  void Confirm() {
    if (!is_blown_) return;
    is_blown_ = false;
    is_confirmed_ = true;
    withheld_bytes_ = 0;
  }

  [[nodiscard]] bool is_blown() const { return is_blown_; }
  // What would have gone: at least, until the walk has ended.
  [[nodiscard]] std::uint64_t withheld_bytes() const {
    return is_blown_ ? std::max(withheld_bytes_, walk_bytes_) : 0;
  }
  [[nodiscard]] std::uint64_t limit_bytes() const { return limit_bytes_; }

 private:
  const std::uint64_t bytes_min_;
  std::uint64_t limit_bytes_ = 0;
  std::uint64_t walk_bytes_ = 0;
  std::uint64_t withheld_bytes_ = 0;  // of the last whole walk
  bool is_blown_ = false;
  bool is_confirmed_ = false;
};

}  // namespace dfs::leader

#endif  // DFS_SERVER_LEADER_COLLECTION_FUSE_H_
