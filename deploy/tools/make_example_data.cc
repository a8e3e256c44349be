// Makes the recordings of client/examples/hodgkin_huxley: simulates the model
// of its fit.yaml at known parameters and adds seeded noise.
//
//   make_example_data client/examples/hodgkin_huxley
//
// writes input.csv [A] and output.csv [mV], each with a header row, an index
// column and one row a trace.

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/lib/yaml_spec.h"
#include "proto/convert/spec.h"
#include "worker/core/base/number.h"
#include "worker/core/base/random.h"
#include "worker/core/base/status.h"
#include "worker/core/lang/quantity.h"
#include "worker/sim/experiment.h"
#include "worker/sim/record.h"

namespace somafit {
namespace {

constexpr size_t kSteps = 1497;
constexpr double kDt = 1e-5;     // [s]
constexpr double kNoise = 1e-3;  // [V]
constexpr uint64_t kNoiseSeed = 1;

// Steps of current, each from sample `begin` to 997.
struct Step {
  size_t begin;
  double current;  // [A]
};
constexpr Step kCurrentSteps[] = {
    {499, 8e-9}, {499, 3e-9}, {0, 3e-9}, {499, 40e-9}, {499, 0.3e-9}};

// What the fit should find.
const std::vector<std::string> kNames = {"g_na", "g_kd", "gl"};
const std::vector<double> kTruth = {20e-6, 6e-6, 10e-9};  // [S]

absl::Status WriteCsv(const std::string& path,
                      const std::vector<std::vector<std::string>>& rows) {
  std::ofstream file(path);
  for (size_t k = 0; k < kSteps; ++k) file << ',' << k;
  file << '\n';
  for (size_t r = 0; r < rows.size(); ++r) {
    file << r;
    for (const std::string& cell : rows[r]) file << ',' << cell;
    file << '\n';
  }
  file.close();
  return file ? absl::OkStatus()
              : absl::UnknownError(absl::StrCat("cannot write ", path));
}

absl::Status Make(const std::string& folder) {
  SOMAFIT_ASSIGN_OR_RETURN(const v1::FitSpec message,
                           ReadFitSpec(folder + "/fit.yaml", {}));
  const ModelSource model = FromProto(message.model());
  Diagnostics diagnostics;
  const auto ampere = EvaluateQuantity({"", "1*amp"}, {}, diagnostics);
  const auto volt = EvaluateQuantity({"", "1*volt"}, {}, diagnostics);
  Dataset dataset;
  dataset.inputs = {{"I", ampere->dimension}};
  dataset.outputs = {{"v", volt->dimension}};
  std::vector<std::vector<std::string>> inputs, outputs;
  for (const Step& step : kCurrentSteps) {
    Trace trace;
    trace.dt = kDt;
    trace.inputs = {std::vector<double>(kSteps, 0.0)};
    trace.targets = {std::vector<double>(kSteps, 0.0)};
    std::vector<std::string>& cells = inputs.emplace_back();
    for (size_t k = 0; k < kSteps; ++k) {
      if (k >= step.begin && k < 997) trace.inputs[0][k] = step.current;
      cells.push_back(ShortestText(trace.inputs[0][k]));
    }
    dataset.traces.push_back(std::move(trace));
  }
  SOMAFIT_ASSIGN_OR_RETURN(
      const Program program,
      MakeProgram(model, dataset.inputs, dataset.outputs, kDt, kNames));
  SOMAFIT_ASSIGN_OR_RETURN(const auto recordings,
                           RecordBatch(program, dataset, {{kTruth}}, 1));
  const RecordingShape shape = ShapeOf(dataset, 1);
  for (uint32_t r = 0; r < dataset.traces.size(); ++r) {
    RandomStream noise(kNoiseSeed, StreamPurpose::kExample, 0, r);
    std::vector<std::string>& cells = outputs.emplace_back();
    for (const double v : shape.Series(recordings[0], r, 0)) {
      cells.push_back(
          absl::StrFormat("%.4f", (v + kNoise * noise.Normal()) * 1e3));
    }
  }
  SOMAFIT_RETURN_IF_ERROR(WriteCsv(folder + "/input.csv", inputs));
  return WriteCsv(folder + "/output.csv", outputs);
}

}  // namespace
}  // namespace somafit

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "usage: make_example_data client/examples/hodgkin_huxley\n";
    return 2;
  }
  const absl::Status status = somafit::Make(argv[1]);
  if (!status.ok()) std::cerr << status.message() << "\n";
  return status.ok() ? 0 : 1;
}
