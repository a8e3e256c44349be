#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace somafit {

// A number of a curve, as TensorBoard shows it.
struct Scalar {
  std::string tag;  // the curve's name
  int64_t step = 0;
  double value = 0;
  double time_s = 0;  // since 1970
};

// An event file: what TensorBoard reads where a file's name has "tfevents" in
// it. Records as TFRecord frames them (length, checksum, bytes, checksum), each
// an Event message of TensorFlow's event.proto.
std::string EventFile(std::span<const Scalar> scalars);

// The cyclic redundancy check of RFC 3720, B.4.
uint32_t Crc32c(std::string_view bytes);

}  // namespace somafit
