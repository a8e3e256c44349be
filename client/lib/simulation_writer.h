#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"

#include "client/lib/sample_writer.h"
#include "somafit/v1/fit.pb.h"
#include "worker/core/objective/x_columns.h"

namespace somafit {

struct FeatureColumn {
  std::string name;  // "v_max_trace_0"
  int at =
      0;  // in the trace errors of a sample, [features x traces] by the spec
};
// The columns of x: output by output, trace by trace, feature by feature as
// given. `x` has their names in order as Posterior says; without it, or where
// these are others, outputs come as the spec names them first.
std::vector<FeatureColumn> FeatureColumns(const v1::InferenceSpec& inference,
                                          int n_traces,
                                          const std::vector<std::string>& x);

// Writes the samples of an inference as they come, page by page: parameters and
// features in the forms of SampleWriter. csv and table have sample, stage,
// round and status before them; all is SI but the parameters of a table with
// units. npz has theta [n x parameters] and x [n x features] of all samples
// that were simulated, which is what inference tools read.
//
// Raw traces have a column a step, "v[0][17]", and are float32 in npz; a table
// leaves them out and says so at its end.
class SimulationWriter {
 public:
  using Sink = std::function<void(absl::string_view)>;
  // REQUIRES: fit.spec().has_inference(). `x`: its columns as Posterior has
  // them; none where that is not known.
  SimulationWriter(SampleFormat format, bool units, const v1::Fit& fit,
                   Sink sink, XColumns x = {});

  // The blocks must have trace errors. Internal if columns do not match.
  absl::Status Add(const v1::SampleBlock& block);
  void End();

 private:
  // What the first block says of columns.
  void NameColumns(const v1::SampleBlock& block);
  void WriteHead();
  void WriteRow(const v1::SampleBlock& block, int row);

  const SampleFormat format_;
  const bool units_;
  const v1::Fit fit_;
  const Sink sink_;
  const XColumns x_columns_;
  int n_x_ = -1;  // features of a sample; -1: not known yet
  bool raw_ = false;
  std::vector<std::string> names_;
  std::vector<size_t> widths_;  // kTable
  std::vector<int> order_;
  bool begun_ = false, first_ = true;
  std::vector<double> theta_, x_;  // kNpz
  std::vector<float> raw_x_;
};

}  // namespace somafit
