#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"

#include "server/study/records.h"
#include "server/study/store.h"

namespace somafit {

// Reads samples' raw traces from the files that they lie in, one file at a
// time: samples that follow on each other mostly share one.
class RawReader {
 public:
  // `n` numbers a sample; 0: there are none.
  RawReader(Store& store, size_t n) : store_(store), n_(n) {}

  size_t row_bytes() const { return n_ * sizeof(float); }
  // Appends row_bytes() little-endian float32, NaN of a sample that has none.
  // Unavailable or DataLoss where its file is missing or damaged.
  absl::Status Append(const RawPlace& place, std::string& bytes);

 private:
  Store& store_;
  const size_t n_;
  std::string hash_, file_;
};

}  // namespace somafit
