#include "worker/core/data/column_names.h"

#include <set>

#include "absl/strings/ascii.h"

namespace somafit {
namespace {

class FreeColumns {
 public:
  std::string Take(const std::string& wanted) {
    std::string name = wanted;
    while (!taken_.insert(absl::AsciiStrToLower(name)).second) name += '_';
    return name;
  }

 private:
  std::set<std::string> taken_ = {
      "sample",  "stage",        "round",    "status",       "total_error",
      "penalty", "trace_errors", "worker",   "microseconds", "numerics_version",
      "reason",  "unit_point",   "raw_file", "raw_offset"};
};

}  // namespace

SampleColumnNames NameSampleColumns(const std::vector<std::string>& parameters,
                                    const std::vector<std::string>& outputs,
                                    bool are_features) {
  SampleColumnNames names;
  FreeColumns free;
  for (const std::string& parameter : parameters) {
    names.parameters.push_back(free.Take(parameter));
  }
  for (const std::string& output : outputs) {
    if (are_features) {
      names.errors.push_back(free.Take(output));
      continue;
    }
    names.errors.push_back(free.Take(output + "_error"));
    names.normalized.push_back(free.Take(output + "_error_normalized"));
  }
  return names;
}

}  // namespace somafit
