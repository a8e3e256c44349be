#include "client/lib/npy.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/status.h"

namespace somafit {
namespace {

constexpr absl::string_view kMagic = "\x93NUMPY";

struct Header {
  std::string type;
  bool fortran_order = false;
  std::vector<uint64_t> shape;
};

absl::Status Bad(const std::string& path, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat(path, ": ", why));
}

// What follows "'key':" in the header, a Python dict of plain values.
absl::string_view ValueOf(absl::string_view header, absl::string_view key) {
  const size_t at = header.find(absl::StrCat("'", key, "':"));
  if (at == absl::string_view::npos) return "";
  return absl::StripLeadingAsciiWhitespace(header.substr(at + key.size() + 3));
}

absl::StatusOr<Header> ParseHeader(absl::string_view text,
                                   const std::string& path) {
  Header header;
  const absl::string_view type = ValueOf(text, "descr");
  const absl::string_view order = ValueOf(text, "fortran_order");
  const absl::string_view shape = ValueOf(text, "shape");
  const size_t quote = type.empty() ? 0 : type.find('\'', 1);
  const size_t close = shape.find(')');
  if (type.empty() || type[0] != '\'' || quote == absl::string_view::npos ||
      order.empty() || shape.empty() || shape[0] != '(' ||
      close == absl::string_view::npos) {
    return Bad(path,
               "the header of the npy file cannot be read; save a plain "
               "array with numpy.save");
  }
  header.type = std::string(type.substr(1, quote - 1));
  header.fortran_order = absl::StartsWith(order, "True");
  for (absl::string_view part :
       absl::StrSplit(shape.substr(1, close - 1), ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;
    uint64_t size = 0;
    if (!absl::SimpleAtoi(part, &size) || header.shape.size() == 2) {
      return Bad(path, absl::StrCat("the array has the shape ",
                                    shape.substr(0, close + 1),
                                    "; one or two dimensions are read "
                                    "(traces x steps)"));
    }
    header.shape.push_back(size);
  }
  if (header.shape.empty()) {
    return Bad(path,
               "the array is a single number; one or two dimensions are "
               "read (traces x steps)");
  }
  return header;
}

template <typename T>
std::vector<std::vector<double>> Rows(const char* data, size_t rows,
                                      size_t columns) {
  std::vector<std::vector<double>> result(rows, std::vector<double>(columns));
  for (std::vector<double>& row : result) {
    for (double& value : row) {
      T number;
      std::memcpy(&number, data, sizeof(T));
      data += sizeof(T);
      value = static_cast<double>(number);
    }
  }
  return result;
}

}  // namespace

absl::StatusOr<std::vector<std::vector<double>>> ParseNpy(
    absl::string_view bytes, const std::string& path, bool* flat) {
  if (!absl::StartsWith(bytes, kMagic) || bytes.size() < 10) {
    return Bad(path, "this is not an npy file; save it with numpy.save");
  }
  const int version = static_cast<unsigned char>(bytes[6]);
  if (version != 1 && version != 2) {
    return Bad(path, absl::StrCat("npy version ", version,
                                  " is not read; save it with numpy.save"));
  }
  const size_t length_bytes = version == 1 ? 2 : 4;
  if (bytes.size() < 8 + length_bytes) return Bad(path, "the file is cut off");
  size_t length = 0;
  for (size_t i = 0; i < length_bytes; ++i) {
    length |= size_t{static_cast<unsigned char>(bytes[8 + i])} << (8 * i);
  }
  bytes.remove_prefix(8 + length_bytes);
  if (bytes.size() < length) return Bad(path, "the file is cut off");
  SOMAFIT_ASSIGN_OR_RETURN(const Header header,
                           ParseHeader(bytes.substr(0, length), path));
  bytes.remove_prefix(length);
  if (header.fortran_order) {
    return Bad(path,
               "the array is in Fortran order; save "
               "numpy.ascontiguousarray(array)");
  }
  if (header.type != "<f8" && header.type != "<f4" && header.type != "<i8" &&
      header.type != "<i4") {
    return Bad(path, absl::StrCat("numbers of type \"", header.type,
                                  "\" are not read; save "
                                  "array.astype(\"float64\")"));
  }
  if (flat != nullptr) *flat = header.shape.size() == 1;
  const size_t width = absl::EndsWith(header.type, "8") ? 8 : 4;
  const size_t rows = header.shape.size() == 2 ? header.shape[0] : 1;
  const size_t columns = header.shape.back();
  // In this order, so that no product overflows.
  const size_t numbers = bytes.size() / width;
  if (rows == 0 || columns == 0) return Bad(path, "the array is empty");
  if (columns > numbers || rows > numbers / columns ||
      rows * columns * width != bytes.size()) {
    return Bad(path, absl::StrCat("the header announces ", rows, " x ", columns,
                                  " numbers of type ", header.type, ", but ",
                                  bytes.size(), " bytes follow; save it anew"));
  }
  if (header.type == "<f8") return Rows<double>(bytes.data(), rows, columns);
  if (header.type == "<f4") return Rows<float>(bytes.data(), rows, columns);
  if (header.type == "<i8") return Rows<int64_t>(bytes.data(), rows, columns);
  return Rows<int32_t>(bytes.data(), rows, columns);
}

}  // namespace somafit
