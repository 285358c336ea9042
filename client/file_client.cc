#include "client/file_client.h"

#include <google/protobuf/message.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/download.h"
#include "client/handed_copy.h"
#include "client/list_progress.h"
#include "client/posix_byte_stream.h"
#include "client/put_attempts.h"
#include "common/status_macros.h"
#include "common/utf8.h"
#include "proto/wire_status.h"

namespace dfs::client {
namespace {

using v1::ErrorDetail;

// Times a change is begun again because the cluster has forgotten the session.
constexpr int kSessionsMax = 3;
// Times a put that may be gone on with is begun anew because it broke and no node had it any more.
constexpr int kPutRoundsMax = 8;

// A read changes nothing, whatever became of it.
absl::Status OfRead(const absl::Status& status) {
  return status.ok() ? status : WithOutcome(status, ErrorDetail::NOTHING_CHANGED);
}

// A message with text that is not UTF-8 is no message: gRPC would say that this node is broken, and all others as well.
absl::Status CheckText(const google::protobuf::Message& request) {
  const google::protobuf::Reflection& fields = *request.GetReflection();
  std::vector<const google::protobuf::FieldDescriptor*> set;
  fields.ListFields(request, &set);
  for (const auto* field : set) {
    if (field->type() != google::protobuf::FieldDescriptor::TYPE_STRING || field->is_repeated()) continue;
    if (IsUtf8(fields.GetString(request, field))) continue;
    return WithOutcome(absl::InvalidArgumentError(absl::StrCat("the ", field->name(), " is not valid UTF-8")),
                       ErrorDetail::NOTHING_CHANGED);
  }
  return absl::OkStatus();
}

}  // namespace

FileClient::FileClient(std::vector<std::string> endpoints, const FileClientOptions& options)
    : options_(options), caller_(std::move(endpoints), options.calls), copy_room_(std::make_unique<CopyRoom>()) {}

FileClient::~FileClient() = default;

// ---- Reads ----

template <class Request, class Response>
absl::StatusOr<Response> FileClient::CallOnce(const std::shared_ptr<Connection>& connection,
                                              const Request& request,
                                              UnaryCall<Request, Response> call) {
  CallWatch::Guard guard(caller_.watch(), connection, caller_.options().retry.timeout);
  Response response;
  const grpc::Status status = call(*connection, guard.call().context(), request, &response);
  if (!status.ok()) return guard.call().Explain(status);
  return response;
}

template <class Request, class Response>
absl::StatusOr<Response> FileClient::Read(const Request& request,
                                          UnaryCall<Request, Response> call) {
  DFS_RETURN_IF_ERROR(CheckText(request));
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/false);
  absl::StatusOr<Response> out = Response();
  const absl::Status status =
      caller_.Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach*) {
        out = CallOnce(connection, request, call);
        return out.status();
      });
  if (!status.ok()) return OfRead(status);
  return out;
}

absl::StatusOr<v1::FileInfo> FileClient::Stat(std::string_view name, v1::Consistency consistency,
                                              std::optional<std::uint64_t> version) {
  v1::StatRequest request;
  if (version.has_value()) request.set_version(*version);
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  request.set_consistency(consistency);
  auto response = Read<v1::StatRequest, v1::StatResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::StatRequest& in,
                  v1::StatResponse* out) { return connection.files().Stat(context, in, out); });
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_info());
}

absl::StatusOr<v1::LocateResponse> FileClient::Locate(std::string_view name,
                                                      v1::Consistency consistency,
                                                      std::optional<std::uint64_t> version) {
  v1::LocateRequest request;
  if (version.has_value()) request.set_version(*version);
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  request.set_consistency(consistency);
  return Read<v1::LocateRequest, v1::LocateResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::LocateRequest& in,
                  v1::LocateResponse* out) { return connection.files().Locate(context, in, out); });
}

absl::StatusOr<v1::StatusResponse> FileClient::Status() {
  return Read<v1::StatusRequest, v1::StatusResponse>(
      {}, [](Connection& connection, grpc::ClientContext* context, const v1::StatusRequest& in,
             v1::StatusResponse* out) { return connection.cluster().Status(context, in, out); });
}

absl::StatusOr<v1::ScrubResponse> FileClient::Scrub(const std::string& node, bool starts) {
  v1::ScrubRequest request;
  request.set_node(node);
  request.set_start(starts);
  return Read<v1::ScrubRequest, v1::ScrubResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::ScrubRequest& in,
                  v1::ScrubResponse* out) { return connection.cluster().Scrub(context, in, out); });
}

absl::StatusOr<v1::CollectResponse> FileClient::Collect(const v1::CollectRequest& request) {
  return Read<v1::CollectRequest, v1::CollectResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::CollectRequest& in,
                  v1::CollectResponse* out) { return connection.cluster().Collect(context, in, out); });
}

absl::StatusOr<v1::MembersResponse> FileClient::Members() {
  return Read<v1::MembersRequest, v1::MembersResponse>(
      {}, [](Connection& connection, grpc::ClientContext* context, const v1::MembersRequest& in,
             v1::MembersResponse* out) { return connection.cluster().Members(context, in, out); });
}

absl::StatusOr<v1::RepairResponse> FileClient::Repair() {
  return Read<v1::RepairRequest, v1::RepairResponse>(
      {}, [](Connection& connection, grpc::ClientContext* context, const v1::RepairRequest& in,
             v1::RepairResponse* out) { return connection.cluster().Repair(context, in, out); });
}

absl::StatusOr<v1::ExplainResponse> FileClient::Explain(std::string_view name) {
  v1::ExplainRequest request;
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  return Read<v1::ExplainRequest, v1::ExplainResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::ExplainRequest& in,
                  v1::ExplainResponse* out) { return connection.cluster().Explain(context, in, out); });
}

absl::StatusOr<v1::ChangeMemberResponse> FileClient::ChangeMember(
    const v1::ChangeMemberRequest& request) {
  return Read<v1::ChangeMemberRequest, v1::ChangeMemberResponse>(
      request,
      [](Connection& connection, grpc::ClientContext* context, const v1::ChangeMemberRequest& in,
         v1::ChangeMemberResponse* out) { return connection.cluster().ChangeMember(context, in, out); });
}

absl::StatusOr<v1::OkToStopResponse> FileClient::OkToStop(const std::vector<std::string>& nodes) {
  v1::OkToStopRequest request;
  for (const auto& node : nodes) request.add_nodes(node);
  return Read<v1::OkToStopRequest, v1::OkToStopResponse>(
      request, [](Connection& connection, grpc::ClientContext* context, const v1::OkToStopRequest& in,
                  v1::OkToStopResponse* out) { return connection.cluster().OkToStop(context, in, out); });
}

absl::StatusOr<v1::HelloResponse> FileClient::Hello() {
  auto out = caller_.Hello();
  if (!out.ok()) return OfRead(out.status());
  return out;
}

absl::Status FileClient::List(const ListOptions& options,
                              absl::FunctionRef<void(const v1::FileInfo&)> take) {
  return ListWhile(options, [take](const v1::FileInfo& file) {
    take(file);
    return true;
  });
}

absl::Status FileClient::ListWhile(const ListOptions& options,
                                   absl::FunctionRef<bool(const v1::FileInfo&)> take) {
  v1::ListRequest request;
  request.set_bucket(options_.bucket);
  request.set_prefix(options.prefix);
  request.set_after(options.after);
  request.set_limit(options.limit);
  request.set_consistency(options.consistency);
  request.set_old_versions(options.old_versions);
  request.set_pattern(options.pattern);
  request.set_pattern_above(options.pattern_above);
  request.set_trash(options.trash);
  DFS_RETURN_IF_ERROR(CheckText(request));
  ListProgress progress(std::move(request));
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/false);
  return OfRead(caller_.Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach*) {
    absl::Status status;
    do {
      status = ListFrom(connection, progress, retry, options.on_page, take);
    } while (status.ok() && progress.is_cut() && !progress.has_all() && !progress.is_stopped());
    return status;
  }));
}

// One call.
absl::Status FileClient::ListFrom(const std::shared_ptr<Connection>& connection, ListProgress& progress, RetryPolicy& retry,
                                  const std::function<void()>& on_page, absl::FunctionRef<bool(const v1::FileInfo&)> take) {
  CallWatch::Guard guard(caller_.watch(), connection, caller_.options().retry.timeout);
  progress.BeginCall();
  auto reader = connection->files().List(guard.call().context(), progress.request());
  v1::ListResponse response;
  absl::Status taken;
  while (taken.ok() && !progress.is_stopped() && reader->Read(&response)) {
    guard.RecordProgress();
    retry.RecordProgress(caller_.Now());
    NoteFreshness(response.consistency());
    taken = progress.Take(response, take);
    if (taken.ok() && !progress.is_stopped() && on_page) on_page();
  }
  if (!taken.ok() || progress.is_stopped()) guard.call().context()->TryCancel();
  const grpc::Status status = reader->Finish();
  if (!taken.ok()) return Final(taken);
  return progress.is_stopped() || progress.has_all() ? absl::OkStatus() : guard.call().Explain(status);
}

absl::Status FileClient::ListHere(
    std::uint32_t node_id, absl::FunctionRef<void(const std::string&, const v1::HereChunk&)> take) {
  v1::ListHereRequest request;
  request.set_node_id(node_id);
  bool has_begun = false;
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/false);
  return OfRead(caller_.Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach*) {
    CallWatch::Guard guard(caller_.watch(), connection, caller_.options().retry.timeout);
    auto reader = connection->files().ListHere(guard.call().context(), request);
    v1::ListHereResponse response;
    while (reader->Read(&response)) {
      guard.RecordProgress();
      for (const auto& chunk : response.chunks()) {
        has_begun = true;
        take(response.node(), chunk);
      }
    }
    const absl::Status status = guard.call().Explain(reader->Finish());
    // Another node's answer would be another list.
    return has_begun && !status.ok() ? Final(status) : status;
  }));
}

absl::Status FileClient::DownloadFrom(const std::shared_ptr<Connection>& connection, Download& download,
                                      BytesReceived moved) {
  bool takes_files = options_.takes_files && connection->hands_files_over();
  for (;;) {
    CallWatch::Guard guard(caller_.watch(), connection, caller_.options().retry.timeout);
    const std::uint64_t before = download.bytes_handed_over();
    absl::Status status = download.Attempt(connection->bulk_data(), guard, takes_files, moved);
    bytes_handed_over_ += download.bytes_handed_over() - before;
    switch (download.handover()) {
      case Download::Handover::kNone:
        return status;
      case Download::Handover::kCopied:
        if (!status.ok() || download.has_all()) return status;
        break;
      case Download::Handover::kRefused:
        connection->StopHandover();
        takes_files = false;
        break;
      case Download::Handover::kDamaged:
        takes_files = false;  // the server reads them, too, finds out, and takes another copy
        break;
    }
  }
}

absl::StatusOr<v1::FileInfo> FileClient::Get(std::string_view name, ByteSink& sink,
                                             const GetOptions& options) {
  v1::GetRequest request;
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  request.set_consistency(options.consistency);
  request.set_offset(options.offset);
  if (options.length.has_value()) request.set_length(*options.length);
  if (options.version.has_value()) request.set_version(*options.version);
  DFS_RETURN_IF_ERROR(CheckText(request));
  Download download(std::move(request), sink, *copy_room_);
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/false);
  const auto attempt = [&](const std::shared_ptr<Connection>& connection, Reach* reach) {
    if (!connection->WaitForBulk(caller_.options().connect_timeout)) {
      *reach = Reach::kNotSent;
      return Unreachable(connection->address());
    }
    const absl::Status status = DownloadFrom(connection, download, [&](std::uint64_t received, std::uint64_t total) {
      retry.RecordProgress(caller_.Now());
      if (options.on_progress) options.on_progress(received, total);
    });
    if (status.ok()) return status;
    if (IsLocalError(status)) return Final(status);
    if (status.code() == absl::StatusCode::kDataLoss && download.has_all()) {
      return download.Restart() ? status : Final(status);
    }
    if (!download.HasLostItsVersion(status)) return status;
    // It was replaced meanwhile: begin again with the version that is current now.
    const absl::Status changed =
        ErrorWithReason(absl::StatusCode::kAborted, "the file was replaced while it was read",
                        ErrorDetail::REASON_UNSPECIFIED);
    return download.Restart() ? changed : Final(changed);
  };
  const absl::Status status = caller_.Run(retry, attempt);
  if (!status.ok()) return OfRead(status);
  return *download.file();
}

// ---- Changes ----

absl::StatusOr<RequestIds::Open> FileClient::NextId() {
  for (int i = 0; i < kSessionsMax; ++i) {
    if (auto id = ids_.Next()) return *std::move(id);
    DFS_ASSIGN_OR_RETURN(const v1::HelloResponse hello, Hello());
    ids_.StartSession(hello.applied_index());
  }
  return absl::ResourceExhaustedError("more changes at once than one client may have");
}

absl::Status FileClient::Change(ChangeAttempt attempt, TakeSettled take, std::optional<RequestIds::Open>* open) {
  absl::Status status;
  std::optional<RequestIds::Open> own;
  if (open == nullptr) open = &own;
  for (int session = 0; session < kSessionsMax; ++session) {
    open->reset();
    DFS_ASSIGN_OR_RETURN(RequestIds::Open next, NextId());
    const RequestIds::Open& id = open->emplace(std::move(next));
    RetryPolicy retry = caller_.NewPolicy(/*is_change=*/true);
    bool is_forgotten = false;
    status = caller_.Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach* reach) {
      absl::Status result = attempt(connection, reach, id.ToWire(), retry);
      if (result.ok() || ReasonOf(result) != ErrorDetail::SESSION_EXPIRED) return result;
      // The cluster cannot know whether an earlier attempt changed something; we know if there
      // was none.
      is_forgotten = true;
      return retry.has_unknown_attempt() ? result
                                         : WithOutcome(result, ErrorDetail::NOTHING_CHANGED);
    });
    if (status.ok()) return status;
    if (is_forgotten) ids_.Forget(id);
    if (retry.has_unknown_attempt()) {
      return is_forgotten ? WithOutcome(status, ErrorDetail::UNKNOWN) : Settle([&id] { return id.ToWire(); }, status, take);
    }
    if (!is_forgotten || IsFinal(status)) return status;
  }
  return status;
}

absl::StatusOr<v1::SettleResponse> FileClient::AskFate(absl::FunctionRef<v1::RequestId()> id) {
  absl::StatusOr<v1::SettleResponse> response = v1::SettleResponse();
  RetryPolicy retry = caller_.NewPolicy(/*is_change=*/false);
  DFS_RETURN_IF_ERROR(caller_.Run(retry, [&](const std::shared_ptr<Connection>& connection, Reach*) {
    v1::SettleRequest request;
    *request.mutable_request_id() = id();
    response = CallOnce<v1::SettleRequest, v1::SettleResponse>(
        connection, request,
        [](Connection& to, grpc::ClientContext* context, const v1::SettleRequest& in,
           v1::SettleResponse* out) { return to.files().Settle(context, in, out); });
    return response.status();
  }));
  return response;
}

absl::Status FileClient::Settle(absl::FunctionRef<v1::RequestId()> id, const absl::Status& failure,
                                TakeSettled take) {
  const auto response = AskFate(id);
  if (!response.ok()) return WithOutcome(failure, ErrorDetail::UNKNOWN);
  if (response->error_code() != 0) {
    return ErrorWithReason(static_cast<absl::StatusCode>(response->error_code()),
                           response->error_message(), ErrorDetail::REASON_UNSPECIFIED);
  }
  switch (response->fate()) {
    case v1::SettleResponse::HAPPENED:
      take(*response);
      return absl::OkStatus();
    case v1::SettleResponse::DID_NOT_HAPPEN:
      return WithOutcome(failure, ErrorDetail::NOTHING_CHANGED);
    default:
      return WithOutcome(failure, ErrorDetail::UNKNOWN);
  }
}

v1::PutHeader FileClient::HeaderOf(std::string_view name, const PutOptions& options) const {
  v1::PutHeader header;
  header.set_bucket(options_.bucket);
  header.set_name(std::string(name));
  if (options.if_version.has_value()) header.set_if_version(*options.if_version);
  header.set_if_absent(options.if_absent);
  // For servers that do not know the other one.
  if (options.if_absent) header.set_if_version(0);
  header.set_writer(options_.writer);
  header.set_conflict_window_s(options.conflict_window_s);
  header.set_ignore_conflict(options.ignores_conflict);
  return header;
}

absl::StatusOr<v1::PutResponse> FileClient::Put(std::string_view name, ByteSource& source,
                                                const PutOptions& options) {
  PutAttempts put(caller_, HeaderOf(name, options), source, options);
  std::optional<RequestIds::Open> id;  // until the put is decided: it may be gone on with under this id
  for (int round = 1;; ++round) {
    const absl::Status status = Change(
        [&](const std::shared_ptr<Connection>& connection, Reach*, const v1::RequestId& id, RetryPolicy& retry) {
          return put.Anew(connection, id, retry);
        },
        [&](const v1::SettleResponse& settled) { put.response() = settled.put(); }, &id);
    if (status.ok()) return std::move(put.response());
    if (!put.has_broken() || round == std::min(kPutRoundsMax, options_.calls.retry.attempts_max)) return status;
    DFS_ASSIGN_OR_RETURN(const bool is_stored, put.GoOn());
    if (is_stored) return std::move(put.response());
    DFS_ASSIGN_OR_RETURN(const bool had_happened, HadHappened(put));
    if (had_happened) return std::move(put.response());
    put.ForgetTrace();
  }
}

absl::StatusOr<LeftPutEnd> FileClient::EndLeft(const PutTrace& left, std::string_view name, ByteSource& source,
                                               const PutOptions& options) {
  PutAttempts put(caller_, HeaderOf(name, options), source, options, left);
  if (!put.trace()) return absl::InvalidArgumentError("a put that is gone on with has a size, and options.resumable");
  LeftPutEnd out;
  DFS_ASSIGN_OR_RETURN(const bool is_stored, put.GoOn());
  if (!is_stored) {
    DFS_ASSIGN_OR_RETURN(out.had_happened, HadHappened(put));
  }
  if (is_stored || out.had_happened) out.put = std::move(put.response());
  return out;
}

// Whether the put that nobody has any more was committed; if not, it never will be (rule R15). An error: that is not known, or
// not any more.
absl::StatusOr<bool> FileClient::HadHappened(PutAttempts& put) {
  if (!put.must_settle()) return false;
  const auto fate = AskFate([&put] { return put.trace()->request_id; });
  if (fate.ok()) {
    if (fate->error_code() != 0 || fate->fate() != v1::SettleResponse::HAPPENED) return false;
    put.response() = fate->put();
    put.RecordHappened();
    return true;
  }
  return WithOutcome(fate.status(), ErrorDetail::UNKNOWN);
}

template <class Request, class Response>
absl::StatusOr<Response> FileClient::ChangeOnce(Request request, UnaryCall<Request, Response> call,
                                                const Response& (*take)(const v1::SettleResponse&)) {
  DFS_RETURN_IF_ERROR(CheckText(request));
  Response out;
  const auto attempt = [&](const std::shared_ptr<Connection>& connection, Reach*,
                           const v1::RequestId& id, RetryPolicy&) {
    *request.mutable_request_id() = id;
    auto response = CallOnce<Request, Response>(connection, request, call);
    if (response.ok()) out = *std::move(response);
    return response.status();
  };
  DFS_RETURN_IF_ERROR(
      Change(attempt, [&](const v1::SettleResponse& settled) { out = take(settled); }));
  return out;
}

absl::StatusOr<std::uint64_t> FileClient::Remove(std::string_view name,
                                                 std::optional<std::uint64_t> if_version) {
  v1::RemoveRequest request;
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  if (if_version.has_value()) request.set_if_version(*if_version);
  DFS_ASSIGN_OR_RETURN(const v1::RemoveResponse response, SendRemove(std::move(request)));
  NoteFreshness(response.consistency());
  return response.version();
}

absl::Status FileClient::RemoveVersion(std::string_view name, std::uint64_t version) {
  v1::RemoveRequest request;
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  request.set_version(version);
  return SendRemove(std::move(request)).status();
}

absl::StatusOr<v1::RemoveResponse> FileClient::SendRemove(v1::RemoveRequest request) {
  return ChangeOnce<v1::RemoveRequest, v1::RemoveResponse>(
      std::move(request),
      [](Connection& to, grpc::ClientContext* context, const v1::RemoveRequest& in,
         v1::RemoveResponse* out) { return to.files().Remove(context, in, out); },
      [](const auto& settled) -> const v1::RemoveResponse& { return settled.remove(); });
}

absl::StatusOr<v1::FileInfo> FileClient::Move(std::string_view source, std::string_view target,
                                              const MoveOptions& options) {
  v1::MoveRequest request;
  request.set_bucket(options_.bucket);
  request.set_source(std::string(source));
  request.set_target(std::string(target));
  if (options.if_version.has_value()) request.set_if_version(*options.if_version);
  request.set_if_absent(options.if_absent);
  request.set_writer(options_.writer);
  auto response = ChangeOnce<v1::MoveRequest, v1::MoveResponse>(
      std::move(request),
      [](Connection& to, grpc::ClientContext* context, const v1::MoveRequest& in,
         v1::MoveResponse* out) { return to.files().Move(context, in, out); },
      [](const auto& settled) -> const v1::MoveResponse& { return settled.move(); });
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_info());
}

absl::StatusOr<v1::FileInfo> FileClient::Undelete(std::string_view name,
                                                  std::optional<std::uint64_t> version,
                                                  bool replaces) {
  v1::UndeleteRequest request;
  request.set_bucket(options_.bucket);
  request.set_name(std::string(name));
  if (version.has_value()) request.set_version(*version);
  request.set_replace(replaces);
  auto response = ChangeOnce<v1::UndeleteRequest, v1::UndeleteResponse>(
      std::move(request),
      [](Connection& to, grpc::ClientContext* context, const v1::UndeleteRequest& in,
         v1::UndeleteResponse* out) { return to.files().Undelete(context, in, out); },
      [](const auto& settled) -> const v1::UndeleteResponse& { return settled.undelete(); });
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_info());
}

absl::StatusOr<std::uint64_t> FileClient::Clear(std::string_view prefix) {
  v1::ClearRequest request;
  request.set_bucket(options_.bucket);
  request.set_prefix(std::string(prefix));
  DFS_ASSIGN_OR_RETURN(
      const v1::ClearResponse response,
      (ChangeOnce<v1::ClearRequest, v1::ClearResponse>(
          std::move(request),
          [](Connection& to, grpc::ClientContext* context, const v1::ClearRequest& in,
             v1::ClearResponse* out) { return to.files().Clear(context, in, out); },
          [](const auto& settled) -> const v1::ClearResponse& { return settled.clear(); })));
  NoteFreshness(response.consistency());
  return response.files();
}

// ---- Buckets ----

absl::StatusOr<v1::BucketInfo> FileClient::MakeBucket(std::string_view bucket,
                                                      const v1::BucketOptions& options) {
  v1::MakeBucketRequest request;
  request.set_bucket(std::string(bucket));
  *request.mutable_options() = options;
  auto response = ChangeOnce<v1::MakeBucketRequest, v1::MakeBucketResponse>(
      std::move(request),
      [](Connection& to, grpc::ClientContext* context, const v1::MakeBucketRequest& in,
         v1::MakeBucketResponse* out) { return to.files().MakeBucket(context, in, out); },
      [](const auto& settled) -> const v1::MakeBucketResponse& { return settled.make_bucket(); });
  if (!response.ok()) return response.status();
  return std::move(*response->mutable_info());
}

absl::Status FileClient::RemoveBucket(std::string_view bucket) {
  v1::RemoveBucketRequest request;
  request.set_bucket(std::string(bucket));
  return ChangeOnce<v1::RemoveBucketRequest, v1::RemoveBucketResponse>(
             std::move(request),
             [](Connection& to, grpc::ClientContext* context, const v1::RemoveBucketRequest& in,
                v1::RemoveBucketResponse* out) { return to.files().RemoveBucket(context, in, out); },
             [](const auto& settled) -> const v1::RemoveBucketResponse& {
               return settled.remove_bucket();
             })
      .status();
}

absl::StatusOr<v1::ListBucketsResponse> FileClient::Buckets(v1::Consistency consistency) {
  v1::ListBucketsRequest request;
  request.set_consistency(consistency);
  return Read<v1::ListBucketsRequest, v1::ListBucketsResponse>(
      request, [](Connection& connection, grpc::ClientContext* context,
                  const v1::ListBucketsRequest& in, v1::ListBucketsResponse* out) {
        return connection.files().ListBuckets(context, in, out);
      });
}

}  // namespace dfs::client
