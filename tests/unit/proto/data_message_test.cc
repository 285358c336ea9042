#include "proto/data_message.h"

#include <google/protobuf/unknown_field_set.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "common/random.h"
#include "dfs/v1/files.pb.h"

namespace dfs {
namespace {

std::string Varint(std::uint64_t value) {
  std::string out;
  while (value >= 0x80) {
    out.push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  out.push_back(static_cast<char>(value));
  return out;
}

std::string Tag(std::uint32_t field, std::uint32_t type) {
  return Varint((std::uint64_t{field} << 3) | type);
}

std::string DataField(const std::string& bytes) {
  return Tag(data_message::kDataField, 2) + Varint(bytes.size()) + bytes;
}

std::string OffsetField(std::uint64_t offset) { return Tag(2, 0) + Varint(offset); }

std::string CrcField(std::uint32_t crc) {
  std::string out = Tag(3, 5);
  for (int i = 0; i < 4; ++i) out.push_back(static_cast<char>(crc >> (8 * i)));
  return out;
}

std::string HeaderField(const std::string& name) {
  v1::PutRequest request;
  request.mutable_header()->set_name(name);
  return request.SerializeAsString();
}

// Pieces of `piece` bytes each.
std::vector<grpc::Slice> Cut(const std::string& wire, std::size_t piece) {
  std::vector<grpc::Slice> out;
  for (std::size_t at = 0; at < wire.size(); at += piece) out.emplace_back(wire.substr(at, piece));
  return out;
}

struct Parsed {
  bool is_ok = false;
  v1::PutRequest message;
  std::string data;
};

Parsed Parse(const std::vector<grpc::Slice>& wire) {
  Parsed out;
  std::string rest;
  Slices data;
  out.is_ok = data_message::Split(wire, &rest, &data) && out.message.ParseFromString(rest);
  out.data = data.ToString();
  return out;
}

std::string ToString(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  EXPECT_TRUE(buffer.Dump(&slices).ok());
  std::string out;
  for (const auto& slice : slices) {
    out.append(reinterpret_cast<const char*>(slice.begin()), slice.size());
  }
  return out;
}

TEST(DataMessage, EveryOrderOfFieldsAndEverySizeOfPieceGivesTheSameMessage) {
  std::vector<std::string> fields = {HeaderField("n"), OffsetField(300), CrcField(0xDEADBEEF),
                                     DataField(std::string(1000, 'd'))};
  std::sort(fields.begin(), fields.end());
  do {
    std::string wire;
    for (const auto& field : fields) wire += field;
    for (const std::size_t piece : {1UL, 2UL, 7UL, 500UL, 5000UL}) {
      const Parsed parsed = Parse(Cut(wire, piece));
      ASSERT_TRUE(parsed.is_ok);
      EXPECT_EQ(parsed.message.header().name(), "n");
      EXPECT_EQ(parsed.message.offset(), 300U);
      EXPECT_EQ(parsed.message.crc32c(), 0xDEADBEEF);
      EXPECT_EQ(parsed.data, std::string(1000, 'd'));
    }
  } while (std::next_permutation(fields.begin(), fields.end()));
}

TEST(DataMessage, EmptyPiecesBetweenBytesChangeNothing) {
  std::vector<grpc::Slice> wire = {grpc::Slice()};
  for (const char byte : OffsetField(9) + DataField("xyz") + CrcField(1)) {
    wire.emplace_back(std::string(1, byte));
    wire.emplace_back();
  }
  const Parsed parsed = Parse(wire);
  ASSERT_TRUE(parsed.is_ok);
  EXPECT_EQ(parsed.message.offset(), 9U);
  EXPECT_EQ(parsed.message.crc32c(), 1U);
  EXPECT_EQ(parsed.data, "xyz");
}

TEST(DataMessage, UnknownFieldsOfAllWireTypesAreKept) {
  const std::string unknown = Tag(100, 0) + Varint(~0ULL) + Tag(101, 1) + "12345678" + Tag(102, 2) +
                              Varint(3) + "abc" + Tag(103, 5) + "1234";
  std::string rest;
  Slices data;
  ASSERT_TRUE(data_message::Split(Cut(unknown + DataField("d") + unknown, 3), &rest, &data));
  EXPECT_EQ(rest, unknown + unknown);
  EXPECT_EQ(data.ToString(), "d");
}

TEST(DataMessage, NoBytesIsTheEmptyMessage) {
  const Parsed parsed = Parse({});
  EXPECT_TRUE(parsed.is_ok);
  EXPECT_TRUE(parsed.data.empty());
}

TEST(DataMessage, DataOfZeroBytesIsEmpty) {
  const Parsed parsed = Parse(Cut(DataField("") + OffsetField(1), 100));
  ASSERT_TRUE(parsed.is_ok);
  EXPECT_TRUE(parsed.data.empty());
  EXPECT_EQ(parsed.message.offset(), 1U);
}

TEST(DataMessage, LastOfSeveralDataFieldsWins) {
  EXPECT_EQ(Parse(Cut(DataField("first") + DataField("second"), 2)).data, "second");
  EXPECT_EQ(Parse(Cut(DataField("first") + DataField(""), 2)).data, "");
}

TEST(DataMessage, EveryTruncationIsRefusedUnlessAFieldEndsThere) {
  const std::string wire = HeaderField("name") + OffsetField(300) + DataField("0123456789");
  const std::vector<std::size_t> ends = {0, HeaderField("name").size(),
                                         HeaderField("name").size() + OffsetField(300).size()};
  for (std::size_t length = 0; length < wire.size(); ++length) {
    const bool is_end = std::find(ends.begin(), ends.end(), length) != ends.end();
    EXPECT_EQ(Parse(Cut(wire.substr(0, length), 3)).is_ok, is_end) << length;
  }
}

TEST(DataMessage, LengthsThatLieAreRefused) {
  for (const std::uint64_t length :
       {std::uint64_t{4}, std::uint64_t{1} << 31, std::uint64_t{1} << 32, ~std::uint64_t{0}}) {
    EXPECT_FALSE(Parse(Cut(Tag(15, 2) + Varint(length) + "abc", 2)).is_ok) << length;
    EXPECT_FALSE(Parse(Cut(Tag(99, 2) + Varint(length) + "abc", 2)).is_ok) << length;
  }
}

TEST(DataMessage, MalformedTagsAreRefused) {
  EXPECT_FALSE(Parse(Cut(std::string(1, '\0'), 1)).is_ok);              // field 0
  EXPECT_FALSE(Parse(Cut(std::string(11, '\x80') + '\x01', 4)).is_ok);  // endless varint
  EXPECT_FALSE(Parse(Cut(Tag(5, 3) + Tag(5, 4), 4)).is_ok);             // group
  EXPECT_FALSE(Parse(Cut(Tag(5, 6) + "a", 4)).is_ok);                   // no such type
  EXPECT_FALSE(Parse(Cut(Tag(5, 1) + "1234567", 4)).is_ok);             // 7 bytes of 8
}

TEST(DataMessage, DataOfAnotherTypeIsAnUnknownField) {
  const Parsed parsed = Parse(Cut(Tag(15, 0) + Varint(5), 1));
  ASSERT_TRUE(parsed.is_ok);
  EXPECT_TRUE(parsed.data.empty());
}

TEST(DataMessage, TooManyOtherBytesAreRefused) {
  const std::string big(data_message::kRestBytesMax, 'x');
  EXPECT_FALSE(Parse(Cut(Tag(99, 2) + Varint(big.size()) + big, 1 << 20)).is_ok);
  EXPECT_TRUE(Parse(Cut(DataField(big + big), 1 << 20)).is_ok);
}

TEST(DataMessage, JoinIsWhatProtobufParses) {
  v1::PutRequest head;
  head.set_offset(77);
  head.mutable_finish()->set_size(12);
  for (const std::string& bytes : {std::string(), std::string("x"), std::string(300'000, 'y')}) {
    Slices data = Slices::CopyOf(bytes.substr(0, bytes.size() / 2));
    data.Append(Slices::Adopt(bytes.substr(bytes.size() / 2)));
    v1::PutRequest plain;
    ASSERT_TRUE(
        plain.ParseFromString(ToString(data_message::Join(head.SerializeAsString(), data))));
    EXPECT_EQ(plain.data(), bytes);
    EXPECT_EQ(plain.offset(), 77U);
    EXPECT_EQ(plain.finish().size(), 12U);
  }
}

TEST(Slices, RangeSharesExactlyThoseBytes) {
  const std::string bytes = "0123456789abcdefghijklmnopqrstuvwxyz0123456789";
  Slices all;
  for (const auto& piece : Cut(bytes, 5)) all.Append(piece);
  for (std::size_t offset = 0; offset <= bytes.size(); ++offset) {
    for (std::size_t length = 0; offset + length <= bytes.size(); ++length) {
      const Slices range = all.Range(offset, length);
      ASSERT_EQ(range.size(), length);
      ASSERT_EQ(range.ToString(), bytes.substr(offset, length));
    }
  }
  const Slices big = Slices::Adopt(std::string(1000, 'b'));
  EXPECT_EQ(big.Range(100, 500).pieces()[0].begin(), big.pieces()[0].begin() + 100);
}

bool HasGroup(const v1::PutRequest& message) {
  const auto& unknown = message.GetReflection()->GetUnknownFields(message);
  for (int i = 0; i < unknown.field_count(); ++i) {
    if (unknown.field(i).type() == google::protobuf::UnknownField::TYPE_GROUP) return true;
  }
  return false;
}

std::string RandomWire(Random& random) {
  std::string wire;
  for (std::uint64_t fields = random.Below(6); fields > 0; --fields) {
    switch (random.Below(6)) {
      case 0:
        wire += HeaderField(std::string(random.Below(20), 'n'));
        break;
      case 1:
        wire += OffsetField(random.Next() >> random.Below(64));
        break;
      case 2:
        wire += CrcField(static_cast<std::uint32_t>(random.Next()));
        break;
      case 3:
        wire += Tag(200, 2) + Varint(4) + "xxxx";
        break;
      default:
        wire += DataField(std::string(random.Below(300), 'd'));
        break;
    }
  }
  return wire;
}

// What Protobuf accepts is accepted with the same content, whatever the bytes; and no bytes make
// Split read out of bounds (for the address sanitizer).
TEST(DataMessage, AgreesWithProtobufOnRandomAndDamagedBytes) {
  constexpr std::uint64_t kSeed = 20'260'101;
  constexpr int kRounds = 30'000;
  Random random(kSeed);
  int accepted = 0;
  for (int round = 0; round < kRounds; ++round) {
    std::string wire = RandomWire(random);
    for (std::uint64_t damage = random.Below(3); damage > 0 && !wire.empty(); --damage) {
      const std::size_t at = random.Below(wire.size());
      switch (random.Below(3)) {
        case 0:
          wire[at] = static_cast<char>(random.Next());
          break;
        case 1:
          wire.erase(at, 1);
          break;
        default:
          wire.resize(at);
          break;
      }
    }
    v1::PutRequest plain;
    const bool is_plain = plain.ParseFromString(wire);
    const Parsed parsed = Parse(Cut(wire, 1 + random.Below(40)));
    if (!is_plain || HasGroup(plain)) continue;
    ASSERT_TRUE(parsed.is_ok) << "round " << round;
    ++accepted;
    ASSERT_EQ(parsed.data, plain.data()) << "round " << round;
    plain.clear_data();
    ASSERT_EQ(parsed.message.SerializeAsString(), plain.SerializeAsString()) << "round " << round;
  }
  EXPECT_GT(accepted, kRounds / 4);
  EXPECT_LT(accepted, kRounds);
}

}  // namespace
}  // namespace dfs
