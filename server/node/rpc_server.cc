#include "server/node/rpc_server.h"

#include <glog/logging.h>
#include <grpc/grpc.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "common/clock.h"
#include "common/sync.h"
#include "proto/channel_arguments.h"

namespace dfs::node {
namespace {

constexpr int kThreadsMax = 600;  // RESOURCE_EXHAUSTED beyond
constexpr std::size_t kBytesMax = std::size_t{256} << 20;
constexpr absl::Duration kCutEvery = absl::Milliseconds(10);
constexpr char kHealthPrefix[] = "/grpc.health.";

}  // namespace

// Counts calls that have begun and not ended; those of the health service (a watch never ends by
// itself) do not count.
class RpcServer::RunningCalls : public std::enable_shared_from_this<RunningCalls> {
 public:
  // False: not within `timeout`.
  bool WaitForNone(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mutex_) {
    const MonotonicTime end = SystemClock().Now() + timeout;
    MutexLock lock(&mutex_);
    while (count_ > 0) {
      const absl::Duration left = end - SystemClock().Now();
      if (left <= absl::ZeroDuration()) return false;
      none_.WaitFor(&mutex_, left);
    }
    return true;
  }
  std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> Factory() {
    return std::make_unique<CallFactory>(shared_from_this());
  }

 private:
  class Call final : public grpc::experimental::Interceptor {
   public:
    explicit Call(std::shared_ptr<RunningCalls> calls) : calls_(std::move(calls)) {
      MutexLock lock(&calls_->mutex_);
      ++calls_->count_;
    }
    ~Call() override {
      MutexLock lock(&calls_->mutex_);
      if (--calls_->count_ == 0) calls_->none_.SignalAll();
    }
    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
      methods->Proceed();
    }

   private:
    const std::shared_ptr<RunningCalls> calls_;
  };
  class CallFactory final : public grpc::experimental::ServerInterceptorFactoryInterface {
   public:
    explicit CallFactory(std::shared_ptr<RunningCalls> calls) : calls_(std::move(calls)) {}
    grpc::experimental::Interceptor* CreateServerInterceptor(
        grpc::experimental::ServerRpcInfo* call) override {
      if (std::string_view(call->method()).starts_with(kHealthPrefix)) return nullptr;
      return new Call(calls_);
    }

   private:
    const std::shared_ptr<RunningCalls> calls_;
  };

  Mutex mutex_;
  CondVar none_;
  int count_ ABSL_GUARDED_BY(mutex_) = 0;
};

RpcServer::RpcServer(Options options)
    : options_(std::move(options)),
      running_(std::make_shared<RunningCalls>()),
      stopper_("stop-server") {}

absl::StatusOr<std::unique_ptr<RpcServer>> RpcServer::Listen(Options options) {
  std::unique_ptr<RpcServer> out(new RpcServer(std::move(options)));
  grpc::ServerBuilder builder;
  SetServerArguments(builder);
  if (out->options_.pings_clients) SetPeerPings(builder);
  grpc::ResourceQuota quota;
  quota.Resize(kBytesMax);
  quota.SetMaxThreads(kThreadsMax);
  builder.SetResourceQuota(quota);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 16);
  int port = 0;
  builder.AddListeningPort(out->options_.address, out->options_.credentials, &port);
  for (auto* service : out->options_.services) builder.RegisterService(service);
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(out->running_->Factory());
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  // For the whole process, so only for as long as this server is made.
  grpc::EnableDefaultHealthCheckService(out->options_.has_health);
  out->server_ = builder.BuildAndStart();
  grpc::EnableDefaultHealthCheckService(false);
  if (out->server_ == nullptr || port == 0) {
    return absl::UnavailableError(absl::StrCat("cannot listen on ", out->options_.flag, "=",
                                               out->options_.address,
                                               ": the address is in use or not this machine's"));
  }
  out->SetServing(false);
  return out;
}

RpcServer::~RpcServer() { Stop(absl::ZeroDuration()); }

void RpcServer::SetServing(bool is_serving) {
  auto* const health = server_ == nullptr ? nullptr : server_->GetHealthCheckService();
  if (health == nullptr || told_serving_.exchange(is_serving ? 1 : 0) == (is_serving ? 1 : 0))
    return;
  health->SetServingStatus(is_serving);  // all names that are known
  for (const auto& name : options_.health_names) health->SetServingStatus(name, is_serving);
}

void RpcServer::Stop(absl::Duration grace) {
  if (std::exchange(is_stopped_, true) || server_ == nullptr) return;
  if (auto* const health = server_->GetHealthCheckService()) health->Shutdown();
  const MonotonicTime grace_ends = SystemClock().Now() + grace;
  auto ended = std::make_shared<Event>();
  stopper_.Post([server = server_.get(), grace, ended] {
    server->Shutdown(std::chrono::system_clock::now() + absl::ToChronoMilliseconds(grace));
    ended->Set();
  });
  const bool is_quiet = running_->WaitForNone(grace);
  // Nothing is cut by this but connections; those that are accepted meanwhile as well.
  do {
    grpc_server_cancel_all_calls(server_->c_server());
  } while (!ended->WaitFor(kCutEvery));
  stopper_.Stop();
  const bool has_grace_left = SystemClock().Now() < grace_ends;
  LOG(INFO) << options_.flag << ": clients are gone; calls cut off: " << (is_quiet ? "no" : "yes")
            << ", grace left: " << (has_grace_left ? "yes" : "no");
}

}  // namespace dfs::node
