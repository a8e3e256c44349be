#pragma once

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"

#include "somafit/v1/fit_service.pb.h"
#include "worker/core/data/dataset.h"
#include "worker/core/data/recording.h"

namespace somafit {

// Simulated traces of several points as a picture: a panel for each variable
// (rows) and trace (columns), with the median over the points and bands that
// hold 50 and 90 % of them, step by step; of one point its trace. Of draws of a
// posterior it is a posterior predictive check, most of all with the recordings
// behind it.
class TracePlot {
 public:
  // REQUIRES: ShapeOf(header) is Ok.
  TracePlot(std::string title, const v1::TraceHeader& header);

  // Recordings to draw behind what is simulated: outputs of these names.
  // InvalidArgument where traces or steps are not those of the header, or none
  // has the name of a variable.
  absl::Status SetRecordings(Dataset recordings);
  // The next point's.
  void Add(Recording recording) { points_.push_back(std::move(recording)); }

  // As a picture in SVG 1.1. InvalidArgument where there are more panels than a
  // picture shows.
  absl::StatusOr<std::string> Svg() const;

 private:
  const std::string title_;
  const v1::TraceHeader header_;
  const RecordingShape shape_;
  std::optional<Dataset> recordings_;
  std::vector<Recording> points_;
};

}  // namespace somafit
