#include "client/lib/npz.h"

#include <array>
#include <string_view>

#include "absl/strings/str_cat.h"

namespace somafit {
namespace {

// The checksum of zip files: the polynomial 0xEDB88320, bit by bit reflected.
uint32_t Crc32(std::string_view bytes) {
  static const auto table = [] {
    std::array<uint32_t, 256> made{};
    for (uint32_t i = 0; i < 256; ++i) {
      uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value >> 1) ^ ((value & 1) != 0 ? 0xEDB88320u : 0);
      }
      made[i] = value;
    }
    return made;
  }();
  uint32_t crc = 0xFFFFFFFFu;
  for (const char c : bytes) {
    crc = (crc >> 8) ^ table[(crc ^ static_cast<unsigned char>(c)) & 0xFF];
  }
  return ~crc;
}

void Append(std::string& bytes, uint64_t value, int n_bytes) {
  for (int i = 0; i < n_bytes; ++i) {
    bytes += static_cast<char>((value >> (8 * i)) & 0xFF);
  }
}

constexpr uint64_t kInExtra = 0xFFFFFFFFu;  // see the 64-bit field
constexpr int kVersion = 45;                // of zip: 64-bit sizes
constexpr int kDate = (1 << 5) | 1;         // 1980-01-01, so that bytes repeat

}  // namespace

std::string NpyHeader(const std::string& descr, const std::string& shape) {
  std::string header =
      absl::StrCat("{'descr': '", descr, "', 'fortran_order': False, ",
                   "'shape': (", shape, "), }");
  // The whole of it is a multiple of 64 long, and ends with a line feed.
  constexpr size_t kBefore = 10;
  const size_t length = (kBefore + header.size() + 1 + 63) / 64 * 64;
  header.resize(length - kBefore - 1, ' ');
  header += '\n';
  std::string text("\x93NUMPY\x01\x00", 8);
  Append(text, header.size(), 2);
  return text + header;
}

void NpzWriter::AddFile(const std::string& name, const std::string& header,
                        const void* data, size_t size) {
  std::string content = header;
  content.append(static_cast<const char*>(data), size);
  Entry entry{.name = name + ".npy",
              .crc = Crc32(content),
              .size = content.size(),
              .offset = bytes_.size()};
  Append(bytes_, 0x04034B50, 4);
  Append(bytes_, kVersion, 2);
  Append(bytes_, 0, 4);  // no flags, stored
  Append(bytes_, 0, 2);
  Append(bytes_, kDate, 2);
  Append(bytes_, entry.crc, 4);
  Append(bytes_, kInExtra, 4);
  Append(bytes_, kInExtra, 4);
  Append(bytes_, entry.name.size(), 2);
  Append(bytes_, 20, 2);
  bytes_ += entry.name;
  Append(bytes_, 1, 2);  // the 64-bit field
  Append(bytes_, 16, 2);
  Append(bytes_, entry.size, 8);
  Append(bytes_, entry.size, 8);
  bytes_ += content;
  entries_.push_back(std::move(entry));
}

void NpzWriter::Add(const std::string& name,
                    const std::vector<double>& values) {
  AddFile(name, NpyHeader("<f8", absl::StrCat(values.size(), ",")),
          values.data(), values.size() * sizeof(double));
}

void NpzWriter::Add(const std::string& name,
                    const std::vector<int64_t>& values) {
  AddFile(name, NpyHeader("<i8", absl::StrCat(values.size(), ",")),
          values.data(), values.size() * sizeof(int64_t));
}

void NpzWriter::AddMatrix(const std::string& name,
                          const std::vector<double>& values, size_t columns) {
  const size_t rows = columns == 0 ? 0 : values.size() / columns;
  AddFile(name, NpyHeader("<f8", absl::StrCat(rows, ", ", columns)),
          values.data(), rows * columns * sizeof(double));
}

void NpzWriter::AddMatrix(const std::string& name,
                          const std::vector<float>& values, size_t columns) {
  const size_t rows = columns == 0 ? 0 : values.size() / columns;
  AddFile(name, NpyHeader("<f4", absl::StrCat(rows, ", ", columns)),
          values.data(), rows * columns * sizeof(float));
}

std::string NpzWriter::Finish() {
  const uint64_t directory = bytes_.size();
  for (const Entry& entry : entries_) {
    Append(bytes_, 0x02014B50, 4);
    Append(bytes_, kVersion, 2);
    Append(bytes_, kVersion, 2);
    Append(bytes_, 0, 4);
    Append(bytes_, 0, 2);
    Append(bytes_, kDate, 2);
    Append(bytes_, entry.crc, 4);
    Append(bytes_, kInExtra, 4);
    Append(bytes_, kInExtra, 4);
    Append(bytes_, entry.name.size(), 2);
    Append(bytes_, 28, 2);
    bytes_.append(10, '\0');  // comment, disk, attributes
    Append(bytes_, kInExtra, 4);
    bytes_ += entry.name;
    Append(bytes_, 1, 2);
    Append(bytes_, 24, 2);
    Append(bytes_, entry.size, 8);
    Append(bytes_, entry.size, 8);
    Append(bytes_, entry.offset, 8);
  }
  const uint64_t end = bytes_.size();
  Append(bytes_, 0x06064B50, 4);  // the 64-bit end
  Append(bytes_, 44, 8);
  Append(bytes_, kVersion, 2);
  Append(bytes_, kVersion, 2);
  Append(bytes_, 0, 8);
  Append(bytes_, entries_.size(), 8);
  Append(bytes_, entries_.size(), 8);
  Append(bytes_, end - directory, 8);
  Append(bytes_, directory, 8);
  Append(bytes_, 0x07064B50, 4);  // where that is
  Append(bytes_, 0, 4);
  Append(bytes_, end, 8);
  Append(bytes_, 1, 4);
  Append(bytes_, 0x06054B50, 4);  // and the end as it was
  Append(bytes_, 0, 4);
  Append(bytes_, 0xFFFF, 2);
  Append(bytes_, 0xFFFF, 2);
  Append(bytes_, kInExtra, 4);
  Append(bytes_, kInExtra, 4);
  Append(bytes_, 0, 2);
  return std::move(bytes_);
}

}  // namespace somafit
