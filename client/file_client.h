// The client library: files of a cluster, from C++.
//
// Every call finds a node that answers, repeats what can be repeated and returns a definite
// result, or an error whose ErrorDetail (proto/wire_status.h) says whether anything happened.
// README.md has the contract, the rules of repetition and an example.
#ifndef DFS_CLIENT_FILE_CLIENT_H_
#define DFS_CLIENT_FILE_CLIENT_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "client/byte_stream.h"
#include "client/caller.h"
#include "client/download.h"
#include "common/request_ids.h"
#include "dfs/v1/cluster.pb.h"
#include "dfs/v1/files.pb.h"

namespace dfs::client {

class ListProgress;

struct FileClientOptions {
  std::string bucket;  // empty: "default"
  // What this client calls itself to other writers (PutHeader.writer); may be empty.
  std::string writer;
  // Copies large files from those that a server on this machine hands over, where it does (dfs-server --unix-socket).
  bool takes_files = true;
  CallerOptions calls;
};

// Bytes moved so far, and in all (0: not known). On the thread of the caller.
using OnProgress = std::function<void(std::uint64_t, std::uint64_t)>;

// What it takes to go on with a put that broke.
struct PutTrace {
  std::string token;        // PutHeader.resume_token
  v1::RequestId request_id;
  std::string address;      // of the node that was sent to
};
// A put that another client, of another process, may go on with: the source must have a size and be one that rewinds.
struct ResumablePut {
  // Before the first byte of each attempt that begins anew; on the caller's thread. What was told before counts no more.
  std::function<void(const PutTrace&)> on_begin;
  // Told at the end: bytes that were not sent again, in the attempt that succeeded.
  std::uint64_t resumed_at = 0;
  // Told at the end: why bytes that had been sent were sent again, or are to be; empty if none were.
  std::string why_anew;
};
// What became of a put that another client left.
struct LeftPutEnd {
  std::optional<v1::PutResponse> put;  // absent: it did not happen, and never will
  // It had happened before, and nothing was sent now: what it stored need not be current any more.
  bool had_happened = false;
};

struct PutOptions {
  // The current version must be this one; 0: there must be none. kFailedPrecondition otherwise.
  std::optional<std::uint64_t> if_version;
  // There must be no file of this name: kAlreadyExists otherwise.
  bool if_absent = false;
  // kAborted, reason CONFLICT, if another writer wrote the name less than so many seconds ago (0: never), in a bucket that
  // says nothing of its own about it.
  std::uint32_t conflict_window_s = 0;
  bool ignores_conflict = false;  // whatever the bucket says
  OnProgress on_progress;
  ResumablePut* resumable = nullptr;  // outlives the call
};

struct MoveOptions {
  std::optional<std::uint64_t> if_version;  // of the source: kFailedPrecondition if it is another
  bool if_absent = false;                   // kAlreadyExists if there is a target
};

struct GetOptions {
  v1::Consistency consistency = v1::STRONG;
  std::uint64_t offset = 0;              // kOutOfRange if greater than the size
  std::optional<std::uint64_t> length;   // absent: to the end
  std::optional<std::uint64_t> version;  // absent: the current one
  OnProgress on_progress;
};

struct ListOptions {
  std::string prefix;
  std::string after;        // only names greater than this
  std::uint64_t limit = 0;  // names; 0: all
  v1::Consistency consistency = v1::STRONG;
  bool old_versions = false;  // also the older ones that the bucket keeps, each behind the current one
  std::string pattern;        // only names that match (common/name_pattern.h), as the servers find; empty: all
  bool pattern_above = false;  // also what is below a folder that matches
  bool trash = false;  // what is in the trash instead: by name, the newest version first; `limit` counts versions
  // Called when what has come so far was taken, and more may be waited for. May be null.
  std::function<void()> on_page = nullptr;
};

class PutAttempts;

// Thread-safe: share one among all threads (up to 256 changes at once go under one session).
// Calls block. No call is made before the first of these functions is used.
class FileClient {
 public:
  // `endpoints`: "host:port", at least one; others are learned from the cluster.
  explicit FileClient(std::vector<std::string> endpoints, const FileClientOptions& options = {});
  ~FileClient();
  FileClient(const FileClient&) = delete;
  FileClient& operator=(const FileClient&) = delete;

  // Stores all of `source` as a new version.
  absl::StatusOr<v1::PutResponse> Put(std::string_view name, ByteSource& source,
                                      const PutOptions& options = {});
  // Ends a put that a client, perhaps of another process, has left: `left` is what was told to its on_begin. Name, bytes and
  // options are the same, and options.resumable is set. The node that has it is asked for, and what it has is not sent again. If
  // nobody has it, it is settled (rule R15), and the source is at its beginning. Errors as of Put; also outcome unknown, reason
  // SESSION_EXPIRED: the cluster does not remember any more, it will not happen now, and the source is at its beginning.
  absl::StatusOr<LeftPutEnd> EndLeft(const PutTrace& left, std::string_view name, ByteSource& source,
                                     const PutOptions& options);
  // Reads into `sink`; returns what was read from. On an error the sink may have a beginning of
  // the bytes, all of them verified.
  absl::StatusOr<v1::FileInfo> Get(std::string_view name, ByteSink& sink,
                                   const GetOptions& options = {});
  // Removes the current version, and returns its number. kNotFound if there is none.
  absl::StatusOr<std::uint64_t> Remove(std::string_view name,
                                       std::optional<std::uint64_t> if_version = std::nullopt);
  // Sends one older version that the bucket keeps to the trash. kNotFound: there is none of this number.
  // kFailedPrecondition: it is the current one.
  absl::Status RemoveVersion(std::string_view name, std::uint64_t version);
  // Gives a file another name, in one step; returns it as it is now. kNotFound: no source.
  absl::StatusOr<v1::FileInfo> Move(std::string_view source, std::string_view target,
                                    const MoveOptions& options = {});
  // Takes a version back from the trash, the newest one unless told; returns what is current now. kNotFound: it is not
  // there (any more). kFailedPrecondition: there is a file of this name, and `replaces` is false.
  absl::StatusOr<v1::FileInfo> Undelete(std::string_view name,
                                        std::optional<std::uint64_t> version = std::nullopt,
                                        bool replaces = false);
  // `version`: the current one or an older one that is kept; absent: the current one.
  absl::StatusOr<v1::FileInfo> Stat(std::string_view name,
                                    v1::Consistency consistency = v1::STRONG,
                                    std::optional<std::uint64_t> version = std::nullopt);
  absl::StatusOr<v1::LocateResponse> Locate(std::string_view name,
                                            v1::Consistency consistency = v1::STRONG,
                                            std::optional<std::uint64_t> version = std::nullopt);
  // Calls `take` for each file, in byte order of names. If a node fails midway the rest comes from
  // another one, as of then. With a pattern, too, a long list may be of more than one state: what no call looks at together.
  // kUnimplemented: the node is of a version that does not know patterns, or does not list the trash.
  absl::Status List(const ListOptions& options, absl::FunctionRef<void(const v1::FileInfo&)> take);
  // The same until `take` returns false.
  absl::Status ListWhile(const ListOptions& options,
                         absl::FunctionRef<bool(const v1::FileInfo&)> take);
  // What node `node_id` holds (0: the node that answers). Calls `take` with the node's name.
  absl::Status ListHere(std::uint32_t node_id,
                        absl::FunctionRef<void(const std::string&, const v1::HereChunk&)> take);
  // Removes every file whose name begins with `prefix`; returns how many.
  absl::StatusOr<std::uint64_t> Clear(std::string_view prefix);

  // Whether a List, Remove or Clear since the last ForgetFreshness was answered with what one node knew (consistency
  // EVENTUAL): of a bucket of mode gossip, or because the request asked for no more.
  [[nodiscard]] bool has_eventual_answer() const { return has_eventual_answer_.load(); }
  void ForgetFreshness() { has_eventual_answer_ = false; }

  // kAlreadyExists; kInvalidArgument: options that contradict each other.
  absl::StatusOr<v1::BucketInfo> MakeBucket(std::string_view bucket,
                                            const v1::BucketOptions& options = {});
  // kNotFound; kFailedPrecondition, reason NOT_EMPTY.
  absl::Status RemoveBucket(std::string_view bucket);
  absl::StatusOr<v1::ListBucketsResponse> Buckets(v1::Consistency consistency = v1::STRONG);

  absl::StatusOr<v1::HelloResponse> Hello();
  absl::StatusOr<v1::StatusResponse> Status();
  absl::StatusOr<v1::MembersResponse> Members();
  // Of the node with this name or number, or of all if it is empty. `starts`: a whole pass from now.
  absl::StatusOr<v1::ScrubResponse> Scrub(const std::string& node, bool starts);

  // Garbage: what each node has deleted and withholds; see CollectRequest.
  absl::StatusOr<v1::CollectResponse> Collect(const v1::CollectRequest& request);

  // Of the leader, through any node. ChangeMember is repeated like a read: asked again it says how far it has come.
  absl::StatusOr<v1::RepairResponse> Repair();
  absl::StatusOr<v1::ExplainResponse> Explain(std::string_view name);
  absl::StatusOr<v1::ChangeMemberResponse> ChangeMember(const v1::ChangeMemberRequest& request);
  absl::StatusOr<v1::OkToStopResponse> OkToStop(const std::vector<std::string>& nodes);

  // Of all gets so far, what was copied from files that were handed over.
  [[nodiscard]] std::uint64_t bytes_handed_over() const { return bytes_handed_over_.load(); }
  // Given and learned.
  [[nodiscard]] std::vector<std::string> Addresses() const { return caller_.Addresses(); }

 private:
  template <class Request, class Response>
  using UnaryCall = grpc::Status (*)(Connection&, grpc::ClientContext*, const Request&, Response*);
  template <class Request, class Response>
  absl::StatusOr<Response> Read(const Request& request, UnaryCall<Request, Response> call);
  template <class Request, class Response>
  absl::StatusOr<Response> CallOnce(const std::shared_ptr<Connection>& connection,
                                    const Request& request, UnaryCall<Request, Response> call);

  absl::Status ListFrom(const std::shared_ptr<Connection>& connection, ListProgress& progress, RetryPolicy& retry,
                        const std::function<void()>& on_page, absl::FunctionRef<bool(const v1::FileInfo&)> take);

  // One change under one id: attempts, and Settle where their end is unknown (rule R15). `attempt`
  // makes one call; `take` reads the result out of a settlement that says that it happened.
  using ChangeAttempt = absl::FunctionRef<absl::Status(const std::shared_ptr<Connection>&, Reach*,
                                                       const v1::RequestId&, RetryPolicy&)>;
  using TakeSettled = absl::FunctionRef<void(const v1::SettleResponse&)>;
  // `open`, if it is not null, holds the id afterwards: as long as it does, the cluster remembers what became of it.
  absl::Status Change(ChangeAttempt attempt, TakeSettled take, std::optional<RequestIds::Open>* open = nullptr);
  // A change that is one request and one response. `take` finds its response in a settlement.
  template <class Request, class Response>
  absl::StatusOr<Response> ChangeOnce(Request request, UnaryCall<Request, Response> call,
                                      const Response& (*take)(const v1::SettleResponse&));
  // One attempt at one node, through its files first if it hands them over.
  absl::Status DownloadFrom(const std::shared_ptr<Connection>& connection, Download& download, BytesReceived moved);
  void NoteFreshness(v1::Consistency consistency) {
    if (consistency == v1::EVENTUAL) has_eventual_answer_ = true;
  }
  absl::StatusOr<v1::RemoveResponse> SendRemove(v1::RemoveRequest request);
  absl::StatusOr<RequestIds::Open> NextId();
  absl::StatusOr<v1::SettleResponse> AskFate(absl::FunctionRef<v1::RequestId()> id);
  absl::Status Settle(absl::FunctionRef<v1::RequestId()> id, const absl::Status& failure, TakeSettled take);
  absl::StatusOr<bool> HadHappened(PutAttempts& put);
  [[nodiscard]] v1::PutHeader HeaderOf(std::string_view name, const PutOptions& options) const;

  const FileClientOptions options_;
  Caller caller_;
  RequestIds ids_;
  const std::unique_ptr<CopyRoom> copy_room_;
  std::atomic<std::uint64_t> bytes_handed_over_ = 0;
  std::atomic<bool> has_eventual_answer_ = false;
};

}  // namespace dfs::client

#endif  // DFS_CLIENT_FILE_CLIENT_H_
