#pragma once

#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// Points of a posterior, as files and as people see them.
struct Draws {
  std::vector<v1::Variable> parameters;
  std::vector<double> theta;        // [n x parameters], SI, row-major
  std::vector<double> log_density;  // [n], or empty

  size_t size() const {
    return parameters.empty() ? 0 : theta.size() / parameters.size();
  }
};

enum class DrawFormat { kCsv, kNpy, kNpz };
// By the file's ending, or kCsv for "-"; InvalidArgument for another.
absl::StatusOr<DrawFormat> DrawFormatOf(const std::string& path);

// The names of parameters with their SI units, as points files have them:
// "gl [siemens]", or "gl" where the unit is none that they can have.
std::vector<std::string> SiHeaders(const std::vector<v1::Variable>& parameters);

//  csv  header and numbers in SI, shortest text that reads back exactly, LF;
//       a last column log_density where there is one
//  npy  float64 [n, parameters], SI
//  npz  the arrays theta, the same, and log_density
void WriteDraws(const Draws& draws, DrawFormat format,
                const std::function<void(absl::string_view)>& sink);

// Mean, standard deviation and quantiles of each parameter, in display units:
// a line each, below a header.
std::string SummaryTable(const Draws& draws);

// A table with a header; the first column is aligned left, others right.
std::string AlignedTable(const std::vector<std::vector<std::string>>& rows);

}  // namespace somafit
