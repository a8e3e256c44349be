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

enum class SampleFormat { kTable, kCsv, kJson, kNpz };

// Writes samples as they come, page by page, in one of four forms:
//  csv    SI, shortest text that reads back exactly, LF; no number: empty
//  json   one object: "fit", "units" (of the SI numbers) and "samples"
//  npz    NumPy arrays by column, SI; "status" as the numbers of SampleStatus.
//         Kept in memory until the end.
//  table  aligned columns in display units, and the best sample at the end
// The columns are sample, stage, round, status, the parameters, total_error,
// <output>_error of each term of the error, <output>_error_normalized behind it
// where its metric has a normalization, penalty where there is one; with
// `trace_errors`, which the blocks must then have, <output>_error_trace_<k>.
// Columns are named as worker/core/data/column_names.h says.
// Without units, the table shows SI and json has no "units".
class SampleWriter {
 public:
  using Sink = std::function<void(absl::string_view)>;
  SampleWriter(SampleFormat format, bool units, const v1::Fit& fit, Sink sink,
               bool trace_errors = false);

  // With `trace_errors` columns are known from the first block on.
  void Begin();
  // Internal if the block's columns are not those of the fit.
  absl::Status Add(const v1::SampleBlock& block);
  void End();

 private:
  enum class Kind { kParameter, kTotal, kError, kNormalized, kPenalty, kTrace };
  struct Column {
    Kind kind = Kind::kParameter;
    int index = 0;  // of the parameter or output; of the trace error
    v1::Variable variable;
    std::string header;
    size_t width = 0;
    std::vector<double> kept;  // kNpz
  };
  void AddColumn(Kind kind, int index, v1::Variable variable);
  void AddTraceColumns(const v1::SampleBlock& block);
  void WriteHead();
  void WriteNpz();
  void WriteCsv(const v1::SampleBlock& block, int row);
  void WriteJson(const v1::SampleBlock& block, int row);
  void WriteTable(const v1::SampleBlock& block, int row);
  double Value(const v1::SampleBlock& block, int row,
               const Column& column) const;

  SampleFormat format_;
  bool units_;
  const v1::Fit fit_;
  Sink sink_;
  const bool trace_errors_;
  int n_trace_errors_ = 0;  // of a sample
  bool begun_ = false;
  std::vector<std::string> error_names_;  // <output>_error
  std::vector<Column> columns_;
  std::vector<double> numbers_[4];  // kNpz: sample, stage, round, status
  bool first_ = true;
  int64_t best_sample_ = -1;
  double best_error_ = std::numeric_limits<double>::infinity();
  std::vector<double> best_parameters_;
};

}  // namespace somafit
