#include "tests/unit/client/fake_cluster.h"

#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_builder.h>

#include <algorithm>
#include <chrono>

#include "common/checksum.h"
#include "common/name_pattern.h"
#include "proto/channel_arguments.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

std::string BigEndian(const Hash128& hash) {
  std::string bytes;
  for (const std::uint64_t half : {hash.high, hash.low}) {
    for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(half >> shift));
  }
  return bytes;
}

using v1::ErrorDetail;

constexpr std::size_t kMessageBytes = std::size_t{1} << 20;

// Other bytes under the same name.
void Rewrite(FakeState::File& file, std::string bytes, std::uint64_t version) {
  file.info.set_version(version);
  file.info.set_size(bytes.size());
  file.info.set_crc32c(Crc32c(bytes.data(), bytes.size()));
  file.info.set_content_hash(BigEndian(Xxh3(bytes.data(), bytes.size())));
  file.bytes = std::move(bytes);
}

// As gRPC reports a connection that broke: without a detail.
grpc::Status Broken() { return grpc::Status(grpc::StatusCode::UNAVAILABLE, "Socket closed"); }

grpc::Status Answer(absl::StatusCode code, const std::string& text, ErrorDetail::Reason reason,
                    ErrorDetail::Outcome outcome = ErrorDetail::NOTHING_CHANGED) {
  return ToGrpc(ErrorWithReason(code, text, reason, outcome));
}

grpc::Status NotFound() {
  return Answer(absl::StatusCode::kNotFound, "no such file", ErrorDetail::REASON_UNSPECIFIED);
}

std::pair<std::string, std::uint64_t> KeyOf(const v1::RequestId& id) {
  return {id.session(), id.sequence()};
}

// As the cluster does with each change: what the client acknowledges is forgotten, and what it has acknowledged is refused.
grpc::Status Admit(const v1::RequestId& id, FakeState& state) ABSL_EXCLUSIVE_LOCKS_REQUIRED(state.mutex) {
  if (state.results.contains(KeyOf(id))) return grpc::Status::OK;
  std::uint64_t& acked_below = state.acked_below[id.session()];
  acked_below = std::max(acked_below, id.acked_below());
  std::erase_if(state.results, [&](const auto& result) {
    return result.first.first == id.session() && result.first.second < acked_below;
  });
  if (id.sequence() >= acked_below) return grpc::Status::OK;
  return Answer(absl::StatusCode::kFailedPrecondition, "below acked_below", ErrorDetail::SESSION_EXPIRED, ErrorDetail::UNKNOWN);
}

}  // namespace

std::string FileKeyOf(const std::string& bucket, const std::string& name) {
  return bucket.empty() || bucket == "default" ? name : bucket + '\0' + name;
}

FakeNode::FakeNode(std::string name, std::shared_ptr<FakeState> state)
    : name_(std::move(name)), state_(std::move(state)) {
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(static_cast<v1::Files::Service*>(this));
  builder.RegisterService(static_cast<v1::Cluster::Service*>(this));
  server_ = builder.BuildAndStart();
  AddEndpoint(address());
}

FakeNode::~FakeNode() { Kill(); }

void FakeNode::Kill() {
  {
    MutexLock lock(&mutex_);
    is_killed_ = true;
    changed_.SignalAll();
  }
  server_->Shutdown(std::chrono::system_clock::now());
}

void FakeNode::Freeze() {
  MutexLock lock(&mutex_);
  is_frozen_ = true;
}

void FakeNode::Inject(const std::string& method, std::vector<Fault> faults) {
  MutexLock lock(&mutex_);
  faults_[method].insert(faults_[method].end(), faults.begin(), faults.end());
}

void FakeNode::ClearFaults() {
  MutexLock lock(&mutex_);
  faults_.clear();
}

int FakeNode::calls(const std::string& method) {
  MutexLock lock(&mutex_);
  return calls_[method];
}

void FakeNode::AddEndpoint(const std::string& address) {
  MutexLock lock(&mutex_);
  endpoints_.push_back(address);
}

FakeNode::Begun FakeNode::Begin(const std::string& method, grpc::ServerContext& context) {
  Fault fault = Fault::kNone;
  MutexLock lock(&mutex_);
  ++calls_[method];
  if (auto& queue = faults_[method]; !queue.empty()) {
    fault = queue.front();
    queue.pop_front();
  }
  while ((is_frozen_ || fault == Fault::kHang) && !is_killed_ && !context.IsCancelled()) {
    changed_.WaitFor(&mutex_, absl::Milliseconds(20));
  }
  if (is_killed_ || fault == Fault::kHang) return {fault, Broken()};
  switch (fault) {
    case Fault::kNotLeader:
      return {fault, Answer(absl::StatusCode::kUnavailable, "no leader", ErrorDetail::NOT_LEADER)};
    case Fault::kNoQuorum: {
      ErrorDetail detail;
      detail.set_reason(ErrorDetail::NO_QUORUM);
      detail.set_outcome(ErrorDetail::NOTHING_CHANGED);
      detail.add_missing_nodes("n2");
      detail.add_missing_nodes("n3");
      return {fault, ToGrpc(ErrorWithDetail(absl::StatusCode::kUnavailable,
                                            "1 of 3 nodes can be reached", detail))};
    }
    case Fault::kOverloaded:
      return {fault, Answer(absl::StatusCode::kResourceExhausted, "busy", ErrorDetail::OVERLOADED)};
    case Fault::kBreakBefore:
      return {fault, Broken()};
    case Fault::kSessionExpired:
      return {fault, Answer(absl::StatusCode::kFailedPrecondition, "session expired",
                            ErrorDetail::SESSION_EXPIRED, ErrorDetail::UNKNOWN)};
    default:
      return {fault, grpc::Status::OK};
  }
}

void FakeNode::Park(const v1::PutHeader& header, const std::string& bytes, int is_open_times) {
  MutexLock lock(&mutex_);
  parked_[header.resume_token()] = {header.request_id().sequence(), bytes, is_open_times};
}

grpc::Status FakeNode::TakeParked(const v1::PutHeader& header, std::string* bytes) {
  if (!header.has_resume_offset()) return grpc::Status::OK;
  MutexLock lock(&mutex_);
  const auto parked = parked_.find(header.resume_token());
  if (parked == parked_.end() || parked->second.sequence != header.request_id().sequence() ||
      parked->second.bytes.size() != header.resume_offset()) {
    return Answer(absl::StatusCode::kNotFound, "nothing to go on with", ErrorDetail::REASON_UNSPECIFIED);
  }
  *bytes = std::move(parked->second.bytes);
  parked_.erase(parked);
  return grpc::Status::OK;
}

grpc::Status FakeNode::PutProgress(grpc::ServerContext* context, const v1::PutProgressRequest* request,
                                   v1::PutProgressResponse* response) {
  const Begun begun = Begin("PutProgress", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&mutex_);
  const auto parked = parked_.find(request->resume_token());
  if (parked == parked_.end()) {
    return Answer(absl::StatusCode::kNotFound, "nothing to go on with", ErrorDetail::REASON_UNSPECIFIED);
  }
  response->set_is_open(parked->second.is_open_times-- > 0);
  if (response->is_open()) return grpc::Status::OK;
  response->set_size(parked->second.bytes.size());
  response->set_crc32c(Crc32c(parked->second.bytes.data(), parked->second.bytes.size()));
  return grpc::Status::OK;
}

std::uint64_t FakeNode::bytes_received() {
  MutexLock lock(&mutex_);
  return bytes_received_;
}

grpc::Status FakeNode::Put(grpc::ServerContext* context, grpc::ServerReader<v1::PutRequest>* reader,
                           v1::PutResponse* response) {
  const Begun begun = Begin("Put", *context);
  if (!begun.status.ok()) return begun.status;
  v1::PutHeader header;
  std::string bytes;
  std::uint32_t crc = 0;
  bool has_finish = false;
  v1::PutRequest request;
  while (!has_finish && reader->Read(&request)) {
    if (request.has_header()) {
      header = request.header();
      const grpc::Status taken = TakeParked(header, &bytes);
      if (!taken.ok()) return taken;
      crc = Crc32c(bytes.data(), bytes.size());
    }
    {
      MutexLock lock(&mutex_);
      bytes_received_ += request.data().size();
    }
    if (request.offset() != bytes.size() ||
        request.crc32c() != Crc32c(request.data().data(), request.data().size())) {
      return Answer(absl::StatusCode::kDataLoss, "bad checksum", ErrorDetail::BAD_CHECKSUM);
    }
    crc = ExtendCrc32c(crc, request.data().data(), request.data().size());
    bytes += request.data();
    has_finish = request.has_finish();
    if (begun.fault == Fault::kBreakMidway || begun.fault == Fault::kBreakAndForget) {
      if (header.has_resume_token() && begun.fault == Fault::kBreakMidway) Park(header, bytes);
      return Broken();
    }
  }
  if (begun.fault == Fault::kBreakUnstored) return Broken();
  if (!has_finish || request.finish().size() != bytes.size() || request.finish().crc32c() != crc ||
      (header.has_size() && header.size() != bytes.size())) {
    return Answer(absl::StatusCode::kInvalidArgument, "truncated", ErrorDetail::SIZE_MISMATCH);
  }
  if (begun.fault == Fault::kDamage) {
    return Answer(absl::StatusCode::kDataLoss, "bad checksum", ErrorDetail::BAD_CHECKSUM);
  }
  const grpc::Status status = Store(header, std::move(bytes), crc, response);
  return begun.fault == Fault::kBreakAfter ? Broken() : status;
}

grpc::Status FakeNode::Store(const v1::PutHeader& header, std::string bytes, std::uint32_t crc,
                             v1::PutResponse* response) {
  MutexLock lock(&state_->mutex);
  state_->seen.push_back(header.request_id());
  if (const grpc::Status admitted = Admit(header.request_id(), *state_); !admitted.ok()) return admitted;
  auto [result, is_new] = state_->results.try_emplace(KeyOf(header.request_id()));
  if (!is_new) {
    *response = result->second.put();
    if (result->second.fate() == v1::SettleResponse::DID_NOT_HAPPEN) {
      return Answer(absl::StatusCode::kAborted, "settled", ErrorDetail::SETTLED);
    }
    return grpc::Status::OK;
  }
  const auto old = state_->files.find(FileKeyOf(header.bucket(), header.name()));
  const std::uint64_t current = old == state_->files.end() ? 0 : old->second.info.version();
  if (header.has_if_version() && header.if_version() != current) {
    state_->results.erase(result);
    return Answer(absl::StatusCode::kFailedPrecondition, "another version is current",
                  ErrorDetail::PRECONDITION);
  }
  if (header.conflict_window_s() > 0 && !header.ignore_conflict() && !header.has_if_version() &&
      current != 0 && old->second.info.writer() != header.writer()) {
    state_->results.erase(result);
    return Answer(absl::StatusCode::kAborted, old->second.info.writer() + " wrote it just now",
                  ErrorDetail::CONFLICT);
  }
  FakeState::File& file = state_->files[FileKeyOf(header.bucket(), header.name())];
  file.info.Clear();
  file.info.set_name(header.name());
  file.info.set_bucket(header.bucket().empty() ? "default" : header.bucket());
  file.info.set_size(bytes.size());
  file.info.set_version(++state_->version);
  file.info.set_crc32c(crc);
  file.info.set_content_hash(BigEndian(Xxh3(bytes.data(), bytes.size())));
  file.info.set_writer(header.writer());
  file.info.set_time_us(1'700'000'000'000'000 + state_->version);
  file.info.set_chunks(1);
  file.info.set_replicas_wanted(3);
  file.info.set_replicas_ok(2);
  file.bytes = std::move(bytes);
  *response->mutable_info() = file.info;
  response->set_replicas(2);
  result->second.set_fate(v1::SettleResponse::HAPPENED);
  *result->second.mutable_put() = *response;
  return grpc::Status::OK;
}

grpc::Status FakeNode::Get(grpc::ServerContext* context, const v1::GetRequest* request,
                           grpc::ServerWriter<v1::GetResponse>* writer) {
  const Begun begun = Begin("Get", *context);
  if (!begun.status.ok()) return begun.status;
  FakeState::File file;
  {
    MutexLock lock(&state_->mutex);
    const auto found = state_->files.find(FileKeyOf(request->bucket(), request->name()));
    if (found == state_->files.end()) return NotFound();
    if (begun.fault == Fault::kReplaceBefore) Rewrite(found->second, found->second.bytes + " anew", ++state_->version);
    if (begun.fault == Fault::kRemoveBefore) {
      state_->files.erase(found);
      return NotFound();
    }
    file = found->second;
  }
  if (request->has_version() && request->version() != file.info.version()) return NotFound();
  if (request->offset() > file.bytes.size()) {
    return Answer(absl::StatusCode::kOutOfRange, "beyond the end", ErrorDetail::REASON_UNSPECIFIED);
  }
  std::string bytes = file.bytes.substr(request->offset());
  if (request->has_length()) bytes = bytes.substr(0, request->length());
  v1::GetResponse response;
  *response.mutable_info() = file.info;
  std::size_t at = 0;
  do {
    const std::string piece = bytes.substr(at, kMessageBytes);
    response.set_offset(request->offset() + at);
    response.set_crc32c(Crc32c(piece.data(), piece.size()));
    response.set_data(piece);
    if (begun.fault == Fault::kDamage) (*response.mutable_data())[piece.size() / 2] ^= 1;
    writer->Write(response);
    response.Clear();
    at += piece.size();
    MutexLock lock(&mutex_);
    bytes_sent_ += piece.size();
    while (begun.fault == Fault::kHangMidway && at * 2 >= bytes.size() && !is_killed_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, absl::Milliseconds(20));
    }
    if (is_killed_ || context->IsCancelled()) return Broken();
    if (begun.fault == Fault::kBreakMidway) return Broken();
  } while (at < bytes.size());
  return grpc::Status::OK;
}

grpc::Status FakeNode::Remove(grpc::ServerContext* context, const v1::RemoveRequest* request,
                              v1::RemoveResponse* response) {
  const Begun begun = Begin("Remove", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  state_->seen.push_back(request->request_id());
  if (const grpc::Status admitted = Admit(request->request_id(), *state_); !admitted.ok()) return admitted;
  const auto key = KeyOf(request->request_id());
  if (const auto result = state_->results.find(key); result != state_->results.end()) {
    *response = result->second.remove();
    return grpc::Status::OK;
  }
  const auto found = state_->files.find(FileKeyOf(request->bucket(), request->name()));
  if (found == state_->files.end()) return NotFound();
  if (begun.fault == Fault::kReplaceBefore) found->second.info.set_version(++state_->version);
  if (request->has_if_version() && request->if_version() != found->second.info.version()) {
    return Answer(absl::StatusCode::kFailedPrecondition, "another version is current", ErrorDetail::PRECONDITION);
  }
  response->set_version(found->second.info.version());
  FakeState::File& trashed = state_->trash[request->name()] = found->second;
  trashed.info.set_trashed_time_us(1'760'000'000'000'000);
  trashed.info.set_purge_time_us(1'760'086'400'000'000);
  state_->files.erase(found);
  v1::SettleResponse& result = state_->results[key];
  result.set_fate(v1::SettleResponse::HAPPENED);
  *result.mutable_remove() = *response;
  return begun.fault == Fault::kBreakAfter ? Broken() : grpc::Status::OK;
}

grpc::Status FakeNode::Move(grpc::ServerContext* context, const v1::MoveRequest* request,
                            v1::MoveResponse* response) {
  const Begun begun = Begin("Move", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  state_->seen.push_back(request->request_id());
  if (const grpc::Status admitted = Admit(request->request_id(), *state_); !admitted.ok()) return admitted;
  const auto key = KeyOf(request->request_id());
  if (const auto result = state_->results.find(key); result != state_->results.end()) {
    *response = result->second.move();
    return grpc::Status::OK;
  }
  const auto found = state_->files.find(request->source());
  if (found == state_->files.end()) return NotFound();
  if (request->if_absent() && state_->files.contains(request->target())) {
    return Answer(absl::StatusCode::kAlreadyExists, "there is one", ErrorDetail::PRECONDITION);
  }
  FakeState::File file = std::move(found->second);
  state_->files.erase(found);
  response->set_source_version(file.info.version());
  file.info.set_name(request->target());
  file.info.set_version(++state_->version);
  file.info.set_writer(request->writer());
  *response->mutable_info() = file.info;
  state_->files[request->target()] = std::move(file);
  v1::SettleResponse& result = state_->results[key];
  result.set_fate(v1::SettleResponse::HAPPENED);
  *result.mutable_move() = *response;
  return begun.fault == Fault::kBreakAfter ? Broken() : grpc::Status::OK;
}

grpc::Status FakeNode::Stat(grpc::ServerContext* context, const v1::StatRequest* request,
                            v1::StatResponse* response) {
  const Begun begun = Begin("Stat", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  const auto found = state_->files.find(FileKeyOf(request->bucket(), request->name()));
  if (found == state_->files.end()) return NotFound();
  *response->mutable_info() = found->second.info;
  return grpc::Status::OK;
}

grpc::Status FakeNode::Locate(grpc::ServerContext* context, const v1::LocateRequest* request,
                              v1::LocateResponse* response) {
  const Begun begun = Begin("Locate", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  const auto found = state_->files.find(FileKeyOf(request->bucket(), request->name()));
  if (found == state_->files.end()) return NotFound();
  *response->mutable_info() = found->second.info;
  for (std::uint32_t i = 0; i < 3; ++i) {
    auto* location = response->add_locations();
    location->set_chunk_size(found->second.info.size());
    location->set_chunk_hash(std::string(32, 'a'));
    location->set_node_id(i + 1);
    location->set_node("n" + std::to_string(i + 1));
    location->set_address("127.0.0.1:77" + std::to_string(i + 1) + "0");
    location->set_zone("z");
    location->set_state(i < 2 ? v1::OK : v1::MISSING);
    location->set_node_is_alive(true);
    location->set_version(found->second.info.version());
  }
  return grpc::Status::OK;
}

grpc::Status FakeNode::List(grpc::ServerContext* context, const v1::ListRequest* request,
                            grpc::ServerWriter<v1::ListResponse>* writer) {
  const Begun begun = Begin("List", *context);
  if (!begun.status.ok()) return begun.status;
  // An older server knows nothing of patterns and trash.
  const bool knows = begun.fault != Fault::kIsOlder;
  const auto pattern = NamePattern::Parse(request->pattern());
  const bool has_pattern = knows && !request->pattern().empty();
  if (has_pattern && !pattern.ok()) return Answer(absl::StatusCode::kInvalidArgument, "malformed pattern", ErrorDetail::REASON_UNSPECIFIED);
  constexpr int kPage = 3;  // and with a pattern so many names are looked at in one call
  v1::ListResponse page;
  page.set_is_by_pattern(has_pattern);
  page.set_is_trash(knows && request->trash());
  std::uint64_t listed = 0;
  int looked = 0;
  bool has_written = false;
  for (const v1::FileInfo& file : Listed(request->bucket(), page.is_trash())) {
    if (!file.name().starts_with(request->prefix()) || file.name() <= request->after()) continue;
    if (has_pattern) {
      page.set_is_cut(looked++ == kPage);
      if (page.is_cut()) break;
      page.set_looked_through(file.name());
      if (!(request->pattern_above() ? pattern->MatchesAbove(file.name()) : pattern->Matches(file.name()))) continue;
    }
    *page.add_files() = file;
    if (++listed == request->limit()) break;
    if (page.files_size() < kPage || has_pattern) continue;
    writer->Write(page);
    has_written = true;
    page.clear_files();
    MutexLock lock(&mutex_);
    while (begun.fault == Fault::kHangMidway && !is_killed_ && !context->IsCancelled()) {
      changed_.WaitFor(&mutex_, absl::Milliseconds(20));
    }
    if (begun.fault == Fault::kBreakMidway || begun.fault == Fault::kHangMidway) return Broken();
  }
  if (page.files_size() > 0 || page.is_cut() || !has_written) writer->Write(page);
  return begun.fault == Fault::kBreakMidway ? Broken() : grpc::Status::OK;
}

std::vector<v1::FileInfo> FakeNode::Listed(const std::string& bucket, bool of_trash) {
  MutexLock lock(&state_->mutex);
  std::vector<v1::FileInfo> out;
  for (const auto& [key, file] : of_trash ? state_->trash : state_->files) {
    if (key == FileKeyOf(bucket, file.info.name())) out.push_back(file.info);
  }
  return out;
}

grpc::Status FakeNode::ListHere(grpc::ServerContext* context, const v1::ListHereRequest* request,
                                grpc::ServerWriter<v1::ListHereResponse>* writer) {
  const Begun begun = Begin("ListHere", *context);
  if (!begun.status.ok()) return begun.status;
  v1::ListHereResponse response;
  response.set_node(request->node_id() == 0 ? name_ : "n" + std::to_string(request->node_id()));
  {
    MutexLock lock(&state_->mutex);
    for (const auto& [name, file] : state_->files) {
      auto* chunk = response.add_chunks();
      chunk->set_chunk("1." + std::to_string(file.info.version()) + "/0");
      chunk->set_size(file.info.size());
      chunk->set_hash(std::string(32, 'a'));
      chunk->set_name(name);
      chunk->set_version(file.info.version());
      chunk->set_bucket("default");
    }
  }
  writer->Write(response);
  return grpc::Status::OK;
}

grpc::Status FakeNode::Clear(grpc::ServerContext* context, const v1::ClearRequest* request,
                             v1::ClearResponse* response) {
  const Begun begun = Begin("Clear", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  response->set_files(std::erase_if(state_->files, [&](const auto& entry) {
    return entry.first.starts_with(request->prefix());
  }));
  return grpc::Status::OK;
}

grpc::Status FakeNode::Settle(grpc::ServerContext* context, const v1::SettleRequest* request,
                              v1::SettleResponse* response) {
  const Begun begun = Begin("Settle", *context);
  if (!begun.status.ok()) return begun.status;
  MutexLock lock(&state_->mutex);
  if (const grpc::Status admitted = Admit(request->request_id(), *state_); !admitted.ok()) return admitted;
  auto [result, is_new] = state_->results.try_emplace(KeyOf(request->request_id()));
  if (is_new) result->second.set_fate(v1::SettleResponse::DID_NOT_HAPPEN);
  *response = result->second;
  return grpc::Status::OK;
}

std::uint64_t FakeNode::bytes_sent() {
  MutexLock lock(&mutex_);
  return bytes_sent_;
}

}  // namespace dfs::client
