#include "client/lib/event_file.h"

#include <array>
#include <bit>

namespace somafit {
namespace {

static_assert(std::endian::native == std::endian::little);

template <typename T>
void AppendBytes(T value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void AppendVarint(uint64_t value, std::string& bytes) {
  for (; value >= 0x80; value >>= 7) {
    bytes.push_back(static_cast<char>(value | 0x80));
  }
  bytes.push_back(static_cast<char>(value));
}

// Fields of a message as they lie on the wire: number and type, then the value.
enum WireType { kVarint = 0, kFixed64 = 1, kLength = 2, kFixed32 = 5 };
void AppendKey(int number, WireType type, std::string& bytes) {
  AppendVarint(static_cast<uint64_t>(number) << 3 | type, bytes);
}
void AppendText(int number, std::string_view text, std::string& bytes) {
  AppendKey(number, kLength, bytes);
  AppendVarint(text.size(), bytes);
  bytes += text;
}

std::string TimeOf(double time_s) {
  std::string event;
  AppendKey(1, kFixed64, event);  // wall_time
  AppendBytes(time_s, event);
  return event;
}

uint32_t MaskedCrc(std::string_view bytes) {
  const uint32_t crc = Crc32c(bytes);
  return std::rotr(crc, 15) + 0xa282ead8u;
}

void AppendRecord(std::string_view event, std::string& file) {
  std::string length;
  AppendBytes(static_cast<uint64_t>(event.size()), length);
  file += length;
  AppendBytes(MaskedCrc(length), file);
  file += event;
  AppendBytes(MaskedCrc(event), file);
}

constexpr std::array<uint32_t, 256> MakeTable() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    table[i] = crc;
  }
  return table;
}

}  // namespace

uint32_t Crc32c(std::string_view bytes) {
  static constexpr std::array<uint32_t, 256> kTable = MakeTable();
  uint32_t crc = ~0u;
  for (const char byte : bytes) {
    crc = kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff] ^ crc >> 8;
  }
  return ~crc;
}

std::string EventFile(std::span<const Scalar> scalars) {
  std::string file;
  std::string begin = TimeOf(scalars.empty() ? 0 : scalars[0].time_s);
  AppendText(3, "brain.Event:2", begin);  // file_version
  AppendRecord(begin, file);
  for (const Scalar& scalar : scalars) {
    std::string value;
    AppendText(1, scalar.tag, value);
    AppendKey(2, kFixed32, value);  // simple_value
    AppendBytes(static_cast<float>(scalar.value), value);
    std::string summary;
    AppendText(1, value, summary);
    std::string event = TimeOf(scalar.time_s);
    AppendKey(2, kVarint, event);  // step
    AppendVarint(static_cast<uint64_t>(scalar.step), event);
    AppendText(5, summary, event);
    AppendRecord(event, file);
  }
  return file;
}

}  // namespace somafit
