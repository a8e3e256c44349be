#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace somafit {

static_assert(std::endian::native == std::endian::little,
              "encodings are copied, and they are little-endian");

// Appends values in a fixed, little-endian layout.
class ByteWriter {
 public:
  void U32(uint32_t value) { Raw(&value, sizeof value); }
  void U64(uint64_t value) { Raw(&value, sizeof value); }
  void F64(double value) { Raw(&value, sizeof value); }
  void F64s(std::span<const double> values) {
    Raw(values.data(), values.size_bytes());
  }
  void Bytes(std::string_view bytes) { bytes_.append(bytes); }
  // Length, then the bytes.
  void Text(std::string_view text) {
    U64(text.size());
    Bytes(text);
  }
  void Reserve(size_t size) { bytes_.reserve(size); }

  const std::string& bytes() const { return bytes_; }
  std::string Take() { return std::move(bytes_); }

 private:
  void Raw(const void* data, size_t size) {
    if (size > 0) bytes_.append(static_cast<const char*>(data), size);
  }

  std::string bytes_;
};

// Reads what ByteWriter wrote. Every read returns false, and changes nothing,
// where the bytes run out; nothing is allocated before that is known.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool U32(uint32_t& value) { return Raw(&value, sizeof value); }
  bool U64(uint64_t& value) { return Raw(&value, sizeof value); }
  bool F64(double& value) { return Raw(&value, sizeof value); }
  bool F64s(std::span<double> values) {
    return Raw(values.data(), values.size_bytes());
  }
  bool Bytes(size_t size, std::string_view& bytes) {
    if (size > rest_.size()) return false;
    bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool Text(size_t max_size, std::string& text) {
    const std::string_view before = rest_;
    uint64_t size = 0;
    std::string_view bytes;
    if (!U64(size) || size > max_size || !Bytes(size, bytes)) {
      rest_ = before;
      return false;
    }
    text = bytes;
    return true;
  }
  size_t rest() const { return rest_.size(); }

 private:
  bool Raw(void* data, size_t size) {
    if (size > rest_.size()) return false;
    if (size > 0) std::memcpy(data, rest_.data(), size);
    rest_.remove_prefix(size);
    return true;
  }

  std::string_view rest_;
};

}  // namespace somafit
