#include "client/lib/event_file.h"

#include <cstring>

#include <gtest/gtest.h>

namespace somafit {
namespace {

template <typename T>
T ReadAt(const std::string& bytes, size_t at) {
  T value;
  EXPECT_LE(at + sizeof value, bytes.size());
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

// The bytes of each record, whose checksums must be right.
std::vector<std::string> Records(const std::string& file) {
  const auto unmask = [](uint32_t masked) {
    const uint32_t rotated = masked - 0xa282ead8u;
    return rotated >> 17 | rotated << 15;
  };
  std::vector<std::string> records;
  for (size_t at = 0; at < file.size();) {
    const auto size = ReadAt<uint64_t>(file, at);
    EXPECT_EQ(unmask(ReadAt<uint32_t>(file, at + 8)),
              Crc32c(file.substr(at, 8)));
    records.push_back(file.substr(at + 12, size));
    EXPECT_EQ(unmask(ReadAt<uint32_t>(file, at + 12 + size)),
              Crc32c(records.back()));
    at += 16 + size;
  }
  return records;
}

// The vectors of RFC 3720, B.4.
TEST(EventFileTest, ChecksumIsThatOfTheStandard) {
  EXPECT_EQ(Crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(Crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(Crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(Crc32c(""), 0u);
}

TEST(EventFileTest, HasARecordForEachScalar) {
  const std::vector<std::string> records = Records(
      EventFile({{{.tag = "loss", .step = 300, .value = 0.5, .time_s = 2}}}));
  ASSERT_EQ(records.size(), 2u);
  const std::string time("\x09\0\0\0\0\0\0\0\x40", 9);
  EXPECT_EQ(records[0], time +
                            "\x1a\x0d"
                            "brain.Event:2");
  EXPECT_EQ(records[1], time + "\x10\xac\x02" +
                            std::string("\x2a\x0d\x0a\x0b", 4) +
                            "\x0a\x04loss" + std::string("\x15\0\0\0\x3f", 5));
  EXPECT_EQ(Records(EventFile({})).size(), 1u);
}

}  // namespace
}  // namespace somafit
