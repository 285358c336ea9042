#include "common/request_ids.h"

#include <utility>

#include "common/random.h"

namespace dfs {
namespace {

std::string RandomSession() {
  std::string out;
  for (int half = 0; half < 2; ++half) {
    std::uint64_t bits = SystemRandom64();
    for (int i = 0; i < 8; ++i, bits >>= 8) out.push_back(static_cast<char>(bits));
  }
  return out;
}

}  // namespace

RequestIds::Open::~Open() {
  if (session_ == nullptr) return;
  MutexLock lock(&session_->mutex);
  session_->open.erase(sequence_);
}

v1::RequestId RequestIds::Open::ToWire() const {
  v1::RequestId out;
  out.set_session(session_->id);
  out.set_sequence(sequence_);
  out.set_birth(session_->birth);
  MutexLock lock(&session_->mutex);
  out.set_acked_below(*session_->open.begin());  // this one at least is open
  return out;
}

std::optional<RequestIds::Open> RequestIds::Next() {
  MutexLock lock(&mutex_);
  if (current_ == nullptr) return std::nullopt;
  MutexLock session_lock(&current_->mutex);
  auto& open = current_->open;
  if (!open.empty() && current_->next - *open.begin() >= kOpenMax) return std::nullopt;
  const std::uint64_t sequence = current_->next++;
  open.insert(open.end(), sequence);
  return Open(current_, sequence);
}

void RequestIds::StartSession(std::uint64_t birth) {
  auto session = std::make_shared<Session>(RandomSession(), birth);
  MutexLock lock(&mutex_);
  current_ = std::move(session);
}

void RequestIds::Forget(const Open& open) {
  MutexLock lock(&mutex_);
  if (current_ == open.session_) current_ = nullptr;
}

}  // namespace dfs
