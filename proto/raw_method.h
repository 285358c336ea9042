// Methods called and served without generated stubs, so that their messages may be WithData<M>
// (data_message.h): the bytes of `data` are then copied nowhere. On the wire these are the methods
// of the .proto files; each side may also be an ordinary generated stub or service.
//
// Request and Response are either a Protobuf message or WithData of one.
#ifndef DFS_PROTO_RAW_METHOD_H_
#define DFS_PROTO_RAW_METHOD_H_

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/impl/codegen/client_unary_call.h>
#include <grpcpp/impl/codegen/method_handler.h>
#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/impl/codegen/server_callback_handlers.h>
#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/impl/rpc_service_method.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/client_callback.h>
#include <grpcpp/support/sync_stream.h>

#include <functional>
#include <memory>
#include <utility>

#include "proto/data_message.h"

namespace dfs {

// ---- Calling ----
//
// One object for each method and channel; make it once, it costs a registration. Thread-safe. It
// shares the channel. `name` is a literal of the form "/dfs.v1.Files/Put": it must live for ever.
// Streams returned must end (Finish) before their context and the method object are destroyed.

template <class Request, class Response>
class ClientStreamingMethod {
 public:
  ClientStreamingMethod(std::shared_ptr<grpc::ChannelInterface> channel, const char* name)
      : channel_(std::move(channel)),
        method_(name, grpc::internal::RpcMethod::CLIENT_STREAMING, channel_) {}

  // `context` and `response` must outlive the stream. Does not block for the server's answer.
  [[nodiscard]] std::unique_ptr<grpc::ClientWriter<Request>> Start(grpc::ClientContext* context,
                                                                   Response* response) const {
    return std::unique_ptr<grpc::ClientWriter<Request>>(
        grpc::internal::ClientWriterFactory<Request>::Create(channel_.get(), method_, context,
                                                             response));
  }

 private:
  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const grpc::internal::RpcMethod method_;
};

template <class Request, class Response>
class ServerStreamingMethod {
 public:
  ServerStreamingMethod(std::shared_ptr<grpc::ChannelInterface> channel, const char* name)
      : channel_(std::move(channel)),
        method_(name, grpc::internal::RpcMethod::SERVER_STREAMING, channel_) {}

  // `context` must outlive the stream; `request` is serialised before the return.
  [[nodiscard]] std::unique_ptr<grpc::ClientReader<Response>> Start(grpc::ClientContext* context,
                                                                    const Request& request) const {
    return std::unique_ptr<grpc::ClientReader<Response>>(
        grpc::internal::ClientReaderFactory<Response>::Create(channel_.get(), method_, context,
                                                              request));
  }

 private:
  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const grpc::internal::RpcMethod method_;
};

template <class Request, class Response>
class BidiStreamingMethod {
 public:
  using Stream = grpc::ClientReaderWriter<Request, Response>;
  BidiStreamingMethod(std::shared_ptr<grpc::ChannelInterface> channel, const char* name)
      : channel_(std::move(channel)),
        method_(name, grpc::internal::RpcMethod::BIDI_STREAMING, channel_) {}

  [[nodiscard]] std::unique_ptr<Stream> Start(grpc::ClientContext* context) const {
    return std::unique_ptr<Stream>(
        grpc::internal::ClientReaderWriterFactory<Request, Response>::Create(channel_.get(),
                                                                             method_, context));
  }

 private:
  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const grpc::internal::RpcMethod method_;
};

template <class Request, class Response>
class UnaryMethod {
 public:
  UnaryMethod(std::shared_ptr<grpc::ChannelInterface> channel, const char* name)
      : channel_(std::move(channel)),
        method_(name, grpc::internal::RpcMethod::NORMAL_RPC, channel_) {}

  // Blocks until the answer or the deadline of `context`.
  [[nodiscard]] grpc::Status Call(grpc::ClientContext* context, const Request& request,
                                  Response* response) const {
    return grpc::internal::BlockingUnaryCall<Request, Response>(channel_.get(), method_, context,
                                                                request, response);
  }
  // Returns at once; `done` runs once on a thread of gRPC's and must not block. `context` and
  // `response` must live until then; `request` is serialised before the return.
  void Start(grpc::ClientContext* context, const Request* request, Response* response,
             std::function<void(grpc::Status)> done) const {
    grpc::internal::CallbackUnaryCall<Request, Response>(channel_.get(), method_, context, request,
                                                         response, std::move(done));
  }

 private:
  const std::shared_ptr<grpc::ChannelInterface> channel_;
  const grpc::internal::RpcMethod method_;
};

// ---- Serving ----

// Base of a service whose methods are registered one by one, in its constructor:
//
//   FileService::FileService() {
//     AddClientStreaming("/dfs.v1.Files/Put", &FileService::Put);
//     AddUnary("/dfs.v1.Files/Stat", &FileService::Stat);
//   }
//
// Handlers of the first four kinds block a thread of the server's each (the sync API); the one
// with a reactor must not block. A method that is not registered answers UNIMPLEMENTED. Register
// the service with ServerBuilder::RegisterService as any other; it must outlive the server.
class RawService : public grpc::Service {
 protected:
  template <class Service, class Request, class Response>
  void AddUnary(const char* name,
                grpc::Status (Service::*handler)(grpc::ServerContext*, const Request*, Response*)) {
    Add(name, grpc::internal::RpcMethod::NORMAL_RPC,
        new grpc::internal::RpcMethodHandler<Service, Request, Response>(
            std::mem_fn(handler), static_cast<Service*>(this)));
  }

  template <class Service, class Request, class Response>
  void AddClientStreaming(const char* name,
                          grpc::Status (Service::*handler)(grpc::ServerContext*,
                                                           grpc::ServerReader<Request>*,
                                                           Response*)) {
    Add(name, grpc::internal::RpcMethod::CLIENT_STREAMING,
        new grpc::internal::ClientStreamingHandler<Service, Request, Response>(
            std::mem_fn(handler), static_cast<Service*>(this)));
  }

  template <class Service, class Request, class Response>
  void AddServerStreaming(const char* name,
                          grpc::Status (Service::*handler)(grpc::ServerContext*, const Request*,
                                                           grpc::ServerWriter<Response>*)) {
    Add(name, grpc::internal::RpcMethod::SERVER_STREAMING,
        new grpc::internal::ServerStreamingHandler<Service, Request, Response>(
            std::mem_fn(handler), static_cast<Service*>(this)));
  }

  template <class Service, class Request, class Response>
  void AddBidiStreaming(const char* name,
                        grpc::Status (Service::*handler)(
                            grpc::ServerContext*, grpc::ServerReaderWriter<Response, Request>*)) {
    Add(name, grpc::internal::RpcMethod::BIDI_STREAMING,
        new grpc::internal::BidiStreamingHandler<Service, Request, Response>(
            std::mem_fn(handler), static_cast<Service*>(this)));
  }

  // The callback API: the handler returns at once; the reactor it returns finishes the call.
  template <class Service, class Request, class Response>
  void AddUnaryReactor(const char* name,
                       grpc::ServerUnaryReactor* (Service::*handler)(grpc::CallbackServerContext*,
                                                                     const Request*, Response*)) {
    auto* service = static_cast<Service*>(this);
    auto* method = new grpc::internal::RpcServiceMethod(
        name, grpc::internal::RpcMethod::NORMAL_RPC,
        new grpc::internal::CallbackUnaryHandler<Request, Response>(
            [service, handler](grpc::CallbackServerContext* context, const Request* request,
                               Response* response) {
              return (service->*handler)(context, request, response);
            }));
    method->SetServerApiType(grpc::internal::RpcServiceMethod::ApiType::CALL_BACK);
    AddMethod(method);
  }

 private:
  void Add(const char* name, grpc::internal::RpcMethod::RpcType type,
           grpc::internal::MethodHandler* handler) {
    AddMethod(new grpc::internal::RpcServiceMethod(name, type, handler));
  }
};

}  // namespace dfs

#endif  // DFS_PROTO_RAW_METHOD_H_
