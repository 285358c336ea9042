#include "client/cli/transfer_board.h"

#include <algorithm>
#include <cstdio>
#include <utility>

#include "client/cli/text.h"
#include "common/executor.h"

namespace dfs::client::cli {

void AddJobsFlag(CLI::App& app, std::size_t& jobs) {
  app.add_option("-j,--jobs", jobs, "files that are moved at once")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, kJobsMax));
}

TransferBoard::TransferBoard(Session& session, std::string verb, std::size_t count, std::uint64_t bytes)
    : verb_(std::move(verb)), count_(count), bytes_(bytes), session_(session), line_(session, "0/" + std::to_string(count)) {}

void TransferBoard::Run(std::size_t jobs, const Operation& operation, const NameOf& name_of) {
  const std::size_t workers = std::min(jobs, count_);
  {
    MutexLock lock(&mutex_);
    moving_.assign(workers, 0);
  }
  std::vector<Event> done(workers);
  ThreadPool threads("transfer", workers);
  for (std::size_t worker = 0; worker < workers; ++worker) {
    threads.Post([&, worker] {
      Work(worker, operation, name_of);
      done[worker].Set();
    });
  }
  for (auto& event : done) event.Wait();
  threads.Stop();
}

void TransferBoard::Work(std::size_t worker, const Operation& operation, const NameOf& name_of) {
  for (std::size_t index = Next(); index < count_; index = Next()) {
    const auto done = operation(index, [this, worker](std::uint64_t bytes, std::uint64_t) { Progress(worker, bytes); });
    if (done.ok()) {
      Record(worker, *done);
      continue;
    }
    MutexLock lock(&mutex_);
    moving_[worker] = 0;
    RecordFailure(name_of(index), done.status());
  }
}

std::size_t TransferBoard::Next() {
  MutexLock lock(&mutex_);
  return has_given_up_ || next_ == count_ ? count_ : next_++;
}

void TransferBoard::Progress(std::size_t worker, std::uint64_t bytes) {
  MutexLock lock(&mutex_);
  moving_[worker] = bytes;
  std::uint64_t all = bytes_done_;
  for (const std::uint64_t one : moving_) all += one;
  line_.Update(std::min(all, std::max(bytes_, bytes_done_)), bytes_);
}

void TransferBoard::Record(std::size_t worker, const FileDone& done) {
  MutexLock lock(&mutex_);
  moving_[worker] = 0;
  ++sum_.done;
  bytes_done_ += done.bytes;
  if (done.was_there) ++sum_.were_there;
  if (!done.was_there) sum_.bytes_moved += done.bytes;
  if (!done.is_silent) hopeless_ = 0;
  line_.Rename(std::to_string(sum_.done + sum_.failed) + "/" + std::to_string(count_));
  line_.Update(bytes_done_, bytes_);
  if (done.is_silent) return;
  if (session_.is_json()) {
    session_.PrintJson(done.json);
  } else if (!session_.is_quiet()) {
    line_.Clear();
    if (done.is_data) {
      session_.Print(done.line + "\n");
    } else {
      session_.Say(done.line);
    }
  }
}

void TransferBoard::RecordFailure(const std::string& name, const absl::Status& status) {
  line_.Clear();
  ++sum_.failed;
  const int code = session_.Fail(status, name);
  if (sum_.first_failure == kExitOk) sum_.first_failure = code;
  const bool is_hopeless = code == kExitNoQuorum || code == kExitTryAgain || code == kExitUnknownOutcome;
  hopeless_ = is_hopeless ? hopeless_ + 1 : 0;
  if (code == kExitUnreachable || code == kExitDenied || code == gives_up_at_ || hopeless_ >= kHopelessMax) has_given_up_ = true;
}

void TransferBoard::GiveUpAt(int exit_code) {
  MutexLock lock(&mutex_);
  gives_up_at_ = exit_code;
}

void TransferBoard::Fail(const Failures& failures) {
  MutexLock lock(&mutex_);
  for (const auto& [name, status] : failures) {
    RecordFailure(name, status);
    has_given_up_ = false;
    hopeless_ = 0;
  }
}

int TransferBoard::Finish(const std::string& note) {
  MutexLock lock(&mutex_);
  const Sum sum = TakeSum();
  session_.Say(sum.Text(verb_, session_.flags().is_human) + (note.empty() ? "" : "; " + note));
  return sum.ExitCode();
}

TransferBoard::Sum TransferBoard::sum() {
  MutexLock lock(&mutex_);
  return TakeSum();
}

TransferBoard::Sum TransferBoard::TakeSum() {
  line_.Clear();
  Sum out = sum_;
  out.untried = count_ - next_;
  return out;
}

std::string TransferBoard::Sum::Text(const std::string& verb, bool is_human) const {
  std::string text = verb + " " + std::to_string(done - were_there) + " files, " + FormatBytes(bytes_moved, is_human) + " bytes";
  if (were_there > 0) text += "; " + std::to_string(were_there) + " were there already";
  if (failed > 0) text += "; " + std::to_string(failed) + " failed";
  if (untried > 0) text += "; gave up: " + std::to_string(untried) + " not tried";
  return text;
}

void TransferBoard::Sum::Add(const Sum& later) {
  done += later.done;
  were_there += later.were_there;
  failed += later.failed;
  untried += later.untried;
  bytes_moved += later.bytes_moved;
  if (first_failure == kExitOk) first_failure = later.first_failure;
}

}  // namespace dfs::client::cli
