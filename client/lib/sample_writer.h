#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

enum class SampleFormat { kTable, kCsv, kJson };

// Writes samples as they come, page by page, in one of three forms:
//  csv    sample,stage,round,status,<parameters>,total_error,<output>_error:
//         SI, shortest text that reads back exactly, LF; no number: empty
//  json   one object: "fit", "units" (of the SI numbers) and "samples"
//  table  aligned columns in display units, and the best sample at the end
// Columns are named as worker/core/data/column_names.h says.
// Without units, the table shows SI and json has no "units".
class SampleWriter {
 public:
  using Sink = std::function<void(absl::string_view)>;
  SampleWriter(SampleFormat format, bool units, const v1::Fit& fit, Sink sink);

  void Begin();
  // Internal if the block's columns are not those of the fit.
  absl::Status Add(const v1::SampleBlock& block);
  void End();

 private:
  struct Column {
    v1::Variable variable;
    std::string header;
    size_t width = 0;
  };
  void AddColumn(v1::Variable variable);
  void WriteCsv(const v1::SampleBlock& block, int row);
  void WriteJson(const v1::SampleBlock& block, int row);
  void WriteTable(const v1::SampleBlock& block, int row);
  // Number `i` of a row: parameters, total error, output errors.
  double Value(const v1::SampleBlock& block, int row, int i) const;

  SampleFormat format_;
  bool units_;
  const v1::Fit fit_;
  Sink sink_;
  std::vector<Column> columns_;
  bool first_ = true;
  int64_t best_sample_ = -1;
  double best_error_ = std::numeric_limits<double>::infinity();
  std::vector<double> best_parameters_;
};

}  // namespace somafit
