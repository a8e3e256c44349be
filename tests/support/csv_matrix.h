#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"

namespace somafit {

// Rows of numbers.
struct CsvMatrix {
  size_t columns = 0;
  std::vector<double> values;  // [rows x columns]
  size_t rows() const { return columns == 0 ? 0 : values.size() / columns; }
};

// Reads a file of numbers between commas; a first line that is not numbers is
// its header. Files whose name ends in .bz2 are unpacked by the program bzip2.
absl::StatusOr<CsvMatrix> ReadCsv(const std::string& path);

}  // namespace somafit
