#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit_service.pb.h"
#include "worker/core/data/recording.h"

namespace somafit {

// kSvg is a picture, which TracePlot makes.
enum class TraceFormat { kCsv, kNpy, kSvg };
// By the file's ending, ".csv", ".npy" or ".svg"; InvalidArgument for another.
absl::StatusOr<TraceFormat> TraceFormatOf(const std::string& path);

// The shape that a header announces. Internal if it is not one that can be.
absl::StatusOr<RecordingShape> ShapeOf(const v1::TraceHeader& header);

// Writes simulated traces, point by point, in one of two forms:
//  csv  a long table "point,trace,t,<variables>", one row a step: SI, shortest
//       text that reads back exactly, LF. A variable that is called "point" or
//       "trace" has a "_" behind it.
//  npy  NumPy's format: float64, C order, [points, traces, variables, steps];
//       where traces differ in length, NaN behind the shorter ones.
// Numbers that are not finite are "nan", "inf", "-inf".
class TraceWriter {
 public:
  using Sink = std::function<void(absl::string_view)>;
  // REQUIRES: ShapeOf(header) is Ok; not kSvg.
  TraceWriter(TraceFormat format, const v1::TraceHeader& header, Sink sink);

  void Begin();
  // The next point's.
  void Add(const Recording& recording);

  // Whether npy pads the shorter traces.
  bool padded() const;
  // Points so far that have a number which is not finite; the first 10.
  const std::vector<int64_t>& diverged() const { return diverged_; }
  int64_t n_diverged() const { return n_diverged_; }

 private:
  void AddCsv(const Recording& recording);
  void AddNpy(const Recording& recording);

  const TraceFormat format_;
  const v1::TraceHeader header_;
  const Sink sink_;
  RecordingShape shape_;
  size_t most_steps_ = 0;
  std::vector<std::string> times_;  // csv: of each step
  int64_t point_ = 0;
  std::vector<int64_t> diverged_;
  int64_t n_diverged_ = 0;
};

}  // namespace somafit
