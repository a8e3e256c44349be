#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "server/study/records.h"

namespace somafit {

// Examples of what stores keep.

const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});

// Of two parameters, two outputs and two traces.
FitRecord ExampleFit(int64_t id, const std::string& name);
// Samples first, ..., first + n - 1 of `fit`.
RoundRecord ExampleRound(int64_t fit, int64_t round, int64_t first, int64_t n);
RecordedSample Result(int64_t sample, double error);
EventRecord Event(int64_t fit, int64_t seq);
ResultsRecord Results(int64_t fit, std::vector<RecordedSample> samples);

}  // namespace somafit
