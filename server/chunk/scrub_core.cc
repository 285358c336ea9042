#include "server/chunk/scrub_core.h"

#include <algorithm>
#include <utility>

#include "server/chunk/index_format.h"

namespace dfs::chunk {
namespace {

constexpr std::uint64_t kRateMin = std::uint64_t{256} << 10;
// What looking a chunk up costs, as bytes: many tiny ones are paced too.
constexpr std::uint64_t kChunkCostBytes = 4096;
constexpr int kUnreadableMax = 3;  // then the chunk is left for the next pass
constexpr absl::Duration kUnreadablePause = absl::Seconds(5);
constexpr char kFormat = 1;
constexpr std::size_t kProgressBytes = 1 + 1 + 20 + 5 * 8;

void Put64(std::string& out, std::uint64_t value) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(value >> shift));
}
std::uint64_t Get64(std::string_view in, std::size_t at) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < 8; ++i) value = (value << 8) | static_cast<unsigned char>(in[at + i]);
  return value;
}
// 0: never.
std::uint64_t Micros(absl::Time time) {
  return time == absl::InfinitePast() ? 0 : static_cast<std::uint64_t>(absl::ToUnixMicros(time));
}
absl::Time FromMicros(std::uint64_t us) {
  return us == 0 ? absl::InfinitePast() : absl::FromUnixMicros(static_cast<std::int64_t>(us));
}

}  // namespace

std::string Encode(const ScrubProgress& progress) {
  std::string out(1, kFormat);
  out.push_back(static_cast<char>((progress.is_running ? 1 : 0) | (progress.is_asked_for ? 2 : 0) |
                                  (progress.after ? 4 : 0)));
  out += EncodeKey(progress.after.value_or(ChunkId()));
  Put64(out, Micros(progress.started));
  Put64(out, Micros(progress.finished));
  for (const auto count : {progress.chunks, progress.bytes, progress.bad}) Put64(out, count);
  return out;
}

std::optional<ScrubProgress> DecodeScrubProgress(std::string_view bytes) {
  if (bytes.size() != kProgressBytes || bytes[0] != kFormat) return std::nullopt;
  const auto flags = static_cast<unsigned char>(bytes[1]);
  if (flags > 7) return std::nullopt;
  ScrubProgress out;
  out.is_running = (flags & 1) != 0;
  out.is_asked_for = (flags & 2) != 0;
  if ((flags & 4) != 0) out.after = DecodeChunkKey(bytes.substr(2, 20));
  out.started = FromMicros(Get64(bytes, 22));
  out.finished = FromMicros(Get64(bytes, 30));
  out.chunks = Get64(bytes, 38);
  out.bytes = Get64(bytes, 46);
  out.bad = Get64(bytes, 54);
  return out;
}

ScrubCore::ScrubCore(const ScrubOptions& options, const ScrubProgress& progress)
    : options_(options), progress_(progress), saved_(progress) {}

ScrubOutput ScrubCore::Step(MonotonicTime now, absl::Time wall, const scrub::Input& input) {
  now_ = now;
  wall_ = wall;
  out_ = {};
  // A clock that was ahead must not put the next pass off.
  progress_.started = std::min(progress_.started, wall);
  std::visit([this](const auto& what) { Take(what); }, input);
  Advance();
  Remind();
  if (progress_ != saved_ && now_ - last_save_ >= options_.save_every) {
    saved_ = progress_;
    last_save_ = now_;
    Emit(scrub::Save{progress_});
  }
  return std::exchange(out_, {});
}

std::uint64_t ScrubCore::Rate() const {
  const double half_seconds = std::max(1.0, absl::ToDoubleSeconds(options_.period) / 2);
  // A quarter more than needed: waits and busy hours are made up for.
  const auto needed = static_cast<std::uint64_t>(static_cast<double>(stored_bytes_) * 1.25 /
                                                 half_seconds);
  const bool is_late = wall_ - progress_.started > options_.period / 2;
  std::uint64_t rate = progress_.is_asked_for || is_late ? options_.bytes_per_second_max
                                                         : std::max(needed, kRateMin);
  rate = std::min(rate, options_.bytes_per_second_max);
  if (is_busy_) rate = std::min(rate, options_.busy_bytes_per_second_max);
  return std::max<std::uint64_t>(1, rate);
}

absl::Time ScrubCore::Due() const { return progress_.started + options_.period / 2; }

void ScrubCore::Take(const scrub::Tick& tick) {
  is_busy_ = tick.is_busy;
  stored_bytes_ = tick.stored_bytes;
}

void ScrubCore::Take(const scrub::StartNow& /*start*/) {
  // From the beginning: what a pass under way has behind it was not checked now.
  Begin(/*is_asked_for=*/true);
}

bool ScrubCore::TakeAnswer() {
  is_waiting_ = false;
  return !std::exchange(is_stale_, false);
}

void ScrubCore::Take(const scrub::NextChunk& next) {
  if (!TakeAnswer()) return;
  if (!next.chunk) {
    End();
    return;
  }
  current_ = next.chunk;
  offset_ = 0;
  unreadable_ = 0;
}

void ScrubCore::Take(const scrub::PieceChecked& piece) {
  if (!TakeAnswer()) return;
  if (piece.verdict == scrub::Verdict::kUnreadable && ++unreadable_ < kUnreadableMax) {
    next_read_ = now_ + kUnreadablePause;
    return;
  }
  const std::uint64_t length = std::min(options_.piece_bytes, current_->size - offset_);
  next_read_ = now_ + absl::Seconds(static_cast<double>(length + kChunkCostBytes) /
                                    static_cast<double>(Rate()));
  switch (piece.verdict) {
    case scrub::Verdict::kGood:
      progress_.bytes += length;
      offset_ += length;
      if (offset_ < current_->size) return;
      ++progress_.chunks;
      break;
    case scrub::Verdict::kBad:
      ++progress_.bad;
      Take(scrub::Found{{*current_, false}});
      break;
    case scrub::Verdict::kGone:
    case scrub::Verdict::kUnreadable:
      break;
  }
  EndChunk();
}

void ScrubCore::Take(const scrub::Found& found) {
  const ChunkId& id = found.bad.info.id;
  if (bad_.contains(id) || bad_.size() >= options_.bad_max) return;
  bad_[id] = found.bad;
  reminder_pause_ = options_.remind_first;
  next_reminder_ = now_ + reminder_pause_;
  Emit(scrub::Report{found.bad});
}

void ScrubCore::Take(const scrub::LookedAt& looked) {
  const auto at = bad_.find(looked.chunk);
  if (at == bad_.end()) return;
  if (looked.is_bad) {
    Emit(scrub::Report{at->second});
  } else {
    bad_.erase(at);
  }
}

void ScrubCore::Begin(bool is_asked_for) {
  const absl::Time finished = progress_.finished;
  progress_ = {};
  progress_.is_running = true;
  progress_.is_asked_for = is_asked_for;
  progress_.started = wall_;
  progress_.finished = finished;
  current_.reset();
  is_stale_ = is_waiting_;
  next_read_ = now_;
  last_save_ = absl::InfinitePast();
  Emit(scrub::BeginPass{});
}

void ScrubCore::End() {
  progress_.is_running = false;
  progress_.is_asked_for = false;
  progress_.after.reset();
  progress_.finished = wall_;
  last_save_ = absl::InfinitePast();
}

void ScrubCore::EndChunk() {
  progress_.after = current_->id;
  current_.reset();
}

void ScrubCore::Advance() {
  out_.wake = absl::InfiniteFuture();
  if (!progress_.is_running && wall_ >= Due()) Begin(/*is_asked_for=*/false);
  if (!progress_.is_running) {
    out_.wake = now_ + (Due() - wall_);
    return;
  }
  if (is_waiting_) return;
  if (now_ < next_read_) {
    out_.wake = next_read_;
    return;
  }
  is_waiting_ = true;
  if (current_) {
    Emit(scrub::CheckPiece{current_->id, offset_,
                           std::min(options_.piece_bytes, current_->size - offset_)});
  } else {
    Emit(scrub::FindNext{progress_.after});
  }
}

void ScrubCore::Remind() {
  if (bad_.empty()) return;
  if (now_ >= next_reminder_) {
    reminder_pause_ = std::min(reminder_pause_ * 2, options_.remind_every);
    next_reminder_ = now_ + reminder_pause_;
    for (const auto& [id, bad] : bad_) Emit(scrub::LookAgain{id});
  }
  out_.wake = std::min(out_.wake, next_reminder_);
}

}  // namespace dfs::chunk
