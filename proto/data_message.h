// Messages with a `bytes data = 15` field whose bytes are never copied in user space: received slices are kept
// by reference and can be hashed, written and forwarded as they are.
//
// On the wire a WithData<M> is M. Any Protobuf client produces and parses it. `message` holds all
// fields but `data` (its own `data` is empty), `data` holds those bytes.
//
// Usable in place of M with the gRPC C++ sync API once the method is registered by hand
// (see raw_method.h).
#ifndef DFS_PROTO_DATA_MESSAGE_H_
#define DFS_PROTO_DATA_MESSAGE_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <google/protobuf/message_lite.h>
#include <grpcpp/impl/codegen/serialization_traits.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

namespace dfs {

// Bytes in pieces, each reference-counted. Copying shares the bytes. Not thread-safe as an object; the
// bytes are immutable and may be read from any thread.
class Slices {
 public:
  Slices() = default;
  // Copies (for small pieces and tests).
  static Slices CopyOf(std::string_view bytes);
  // Takes the string over without copying it.
  static Slices Adopt(std::string bytes);

  void Append(grpc::Slice slice) {
    bytes_ += slice.size();
    if (slice.size() > 0) pieces_.push_back(std::move(slice));
  }
  void Append(const Slices& other) {
    for (const auto& piece : other.pieces_) Append(piece);
  }
  [[nodiscard]] std::size_t size() const { return bytes_; }
  [[nodiscard]] bool empty() const { return bytes_ == 0; }
  [[nodiscard]] const std::vector<grpc::Slice>& pieces() const { return pieces_; }
  // Shares bytes [offset, offset + length); both within size().
  [[nodiscard]] Slices Range(std::size_t offset, std::size_t length) const;
  // Views of the pieces, valid while this object lives unchanged (short pieces hold their bytes themselves).
  [[nodiscard]] std::vector<std::string_view> Views() const;
  // One contiguous copy.
  [[nodiscard]] std::string ToString() const;
  void Clear() {
    pieces_.clear();
    bytes_ = 0;
  }

 private:
  std::vector<grpc::Slice> pieces_;
  std::size_t bytes_ = 0;
};

template <class M>
struct WithData {
  M message;
  Slices data;
};

namespace data_message {

inline constexpr std::uint32_t kDataField = 15;

// Splits the wire form of a message into the bytes of field 15 (shared) and everything else (copied, at most
// `rest_bytes_max`). False if it is not a well-formed message. If the field occurs more than once the last wins.
bool Split(const std::vector<grpc::Slice>& wire, std::string* rest, Slices* data);
// The wire form of `rest` followed by field 15.
grpc::ByteBuffer Join(const std::string& rest, const Slices& data);
// All fields but data are small: more than this is refused.
inline constexpr std::size_t kRestBytesMax = std::size_t{4} << 20;

}  // namespace data_message
}  // namespace dfs

namespace grpc {

template <class M>
class SerializationTraits<dfs::WithData<M>, void> {
 public:
  static Status Serialize(const dfs::WithData<M>& in, ByteBuffer* out, bool* own_buffer) {
    std::string rest;
    if (!in.message.SerializeToString(&rest)) {
      return Status(StatusCode::INTERNAL, "message cannot be serialised");
    }
    *out = dfs::data_message::Join(rest, in.data);
    *own_buffer = true;
    return Status::OK;
  }
  static Status Deserialize(ByteBuffer* in, dfs::WithData<M>* out) {
    std::vector<Slice> wire;
    Status dumped = in->Dump(&wire);
    in->Clear();  // else the buffer leaks
    if (!dumped.ok()) return dumped;
    std::string rest;
    out->data.Clear();
    if (!dfs::data_message::Split(wire, &rest, &out->data) || !out->message.ParseFromString(rest)) {
      return Status(StatusCode::INVALID_ARGUMENT, "malformed message");
    }
    return Status::OK;
  }
};

}  // namespace grpc

#endif  // DFS_PROTO_DATA_MESSAGE_H_
