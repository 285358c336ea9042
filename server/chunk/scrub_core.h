// Which bytes are read and checked next, how fast, and what is said of those found bad. Decides; does no I/O.
#ifndef DFS_SERVER_CHUNK_SCRUB_CORE_H_
#define DFS_SERVER_CHUNK_SCRUB_CORE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "absl/time/time.h"
#include "common/clock.h"
#include "common/ids.h"
#include "server/chunk/chunk_store.h"

namespace dfs::chunk {

struct ScrubOptions {
  // Each block is read at least once in this time. A pass begins half of it after the one before and is paced to end
  // within half of it, so that no two checks of a block are further apart.
  absl::Duration period = absl::Hours(24 * 7);
  // The budget: no pass reads faster, also one that is late or was asked for.
  std::uint64_t bytes_per_second_max = std::uint64_t{64} << 20;
  // While clients use the store.
  std::uint64_t busy_bytes_per_second_max = std::uint64_t{4} << 20;
  std::uint64_t piece_bytes = std::uint64_t{1} << 20;
  absl::Duration save_every = absl::Seconds(30);
  // Bad chunks are looked at again, and reported again if they are still bad (reports may get lost): first after
  // remind_first, then after twice as long each time, up to remind_every.
  absl::Duration remind_first = absl::Seconds(1);
  absl::Duration remind_every = absl::Seconds(30);
  // Bad chunks remembered; more are found again by the next pass.
  std::size_t bad_max = 10'000;
};

// How far scrubbing is. Kept in the store, so that a restart goes on where it was.
struct ScrubProgress {
  bool is_running = false;
  bool is_asked_for = false;          // by an operator: at the full budget
  std::optional<ChunkId> after;       // of this pass, everything up to here is checked
  absl::Time started = absl::InfinitePast();   // wall time; of this pass, or the last one
  absl::Time finished = absl::InfinitePast();  // of the last whole pass
  std::uint64_t chunks = 0;           // of this or the last pass
  std::uint64_t bytes = 0;
  std::uint64_t bad = 0;
  bool operator==(const ScrubProgress&) const = default;
};
std::string Encode(const ScrubProgress& progress);
// nullopt for anything but what Encode writes.
std::optional<ScrubProgress> DecodeScrubProgress(std::string_view bytes);

// A chunk whose bytes here are not what they must be.
struct BadChunk {
  ChunkInfo info;
  bool is_missing = false;  // the log says that it is here, and it is not
};

// ---- what the core is told ----
namespace scrub {
struct Tick {
  bool is_busy = false;             // clients use the store
  std::uint64_t stored_bytes = 0;
};
struct StartNow {};
struct NextChunk {  // answers FindNext; nullopt: there is none behind
  std::optional<ChunkInfo> chunk;
};
enum class Verdict { kGood, kBad, kGone, kUnreadable };  // kUnreadable: for now; nothing is known
struct PieceChecked {  // answers CheckPiece
  Verdict verdict = Verdict::kGood;
};
struct Found {  // whoever met it
  BadChunk bad;
};
struct LookedAt {  // answers LookAgain
  ChunkId chunk;
  bool is_bad = false;  // still, and wanted here
};
using Input = std::variant<Tick, StartNow, NextChunk, PieceChecked, Found, LookedAt>;

// ---- what it asks for ----
struct FindNext {
  std::optional<ChunkId> after;
};
struct CheckPiece {
  ChunkId chunk;
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
};
struct Report {  // to the leader
  BadChunk bad;
};
struct LookAgain {
  ChunkId chunk;
};
struct Save {
  ScrubProgress progress;
};
struct BeginPass {};  // a pass begins: what the log wants here is compared with what is here
using Action = std::variant<FindNext, CheckPiece, Report, LookAgain, Save, BeginPass>;
}  // namespace scrub

struct ScrubOutput {
  std::vector<scrub::Action> actions;  // in this order
  MonotonicTime wake;                  // Tick at this time
};

// Chunks are checked in the order of their ids, round and round, so the one that is next is the one whose check is
// the longest ago (what was written behind the cursor since was verified then). At most one FindNext or CheckPiece is
// open. Deterministic; not thread-safe.
class ScrubCore {
 public:
  ScrubCore(const ScrubOptions& options, const ScrubProgress& progress);

  [[nodiscard]] ScrubOutput Step(MonotonicTime now, absl::Time wall, const scrub::Input& input);

  [[nodiscard]] const ScrubProgress& progress() const { return progress_; }
  [[nodiscard]] std::size_t bad_count() const { return bad_.size(); }
  // Bytes a second, as of the last tick.
  [[nodiscard]] std::uint64_t Rate() const;

 private:
  void Take(const scrub::Tick& tick);
  void Take(const scrub::StartNow& start);
  void Take(const scrub::NextChunk& next);
  void Take(const scrub::PieceChecked& piece);
  void Take(const scrub::Found& found);
  void Take(const scrub::LookedAt& looked);

  // Whether the answer that came is one to act on.
  bool TakeAnswer();
  void Begin(bool is_asked_for);
  void End();
  void EndChunk();
  void Advance();
  void Remind();
  [[nodiscard]] absl::Time Due() const;  // of the next pass
  void Emit(scrub::Action action) { out_.actions.push_back(action); }

  const ScrubOptions options_;
  ScrubProgress progress_;
  ScrubProgress saved_;
  MonotonicTime last_save_ = absl::InfinitePast();
  MonotonicTime next_read_ = absl::InfinitePast();
  MonotonicTime next_reminder_ = absl::InfinitePast();
  absl::Duration reminder_pause_;
  bool is_waiting_ = false;  // for the answer to FindNext or CheckPiece
  bool is_stale_ = false;    // that answer belongs to a pass that was begun anew
  bool is_busy_ = false;
  std::uint64_t stored_bytes_ = 0;
  std::optional<ChunkInfo> current_;
  std::uint64_t offset_ = 0;
  int unreadable_ = 0;  // tries of this piece
  std::map<ChunkId, BadChunk> bad_;

  // Of the step under way.
  MonotonicTime now_;
  absl::Time wall_;
  ScrubOutput out_;
};

}  // namespace dfs::chunk

#endif  // DFS_SERVER_CHUNK_SCRUB_CORE_H_
