#pragma once

#include <string>
#include <vector>

namespace somafit {

// How the columns of a fit's samples are called, wherever samples stand in a
// table: the database, CSV, JSON. Beside these there are sample, stage, round,
// status, total_error, penalty and what the database notes of the work.
//
// Names have no case in SQLite and may not repeat: a name that is taken gets
// "_" appended until it is free, parameters first.
struct SampleColumnNames {
  std::vector<std::string> parameters;
  std::vector<std::string> errors;      // per output: <output>_error
  std::vector<std::string> normalized;  // per output: <output>_error_normalized
};

// Of an inference `outputs` are its features: their columns are called like
// them, and there are no normalized ones.
SampleColumnNames NameSampleColumns(const std::vector<std::string>& parameters,
                                    const std::vector<std::string>& outputs,
                                    bool are_features = false);

}  // namespace somafit
