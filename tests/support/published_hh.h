#pragma once

#include <optional>
#include <string>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"

namespace somafit {

// The Hodgkin-Huxley recordings that a published fit was made from: five traces
// of 1497 steps of 0.01 ms, injected current "I" and voltage "v". Read from the
// folder $SOMAFIT_SHARED (default ../shared); nullopt where that is absent.
std::optional<Dataset> ReadPublishedRecordings();

inline constexpr double kPublishedDt = 1e-5;  // [s]

// The model of that fit, with parameters gl, g_na, g_kd; and Cm (else 200 pF)
// where `free_capacitance`. `v0` is the expression that v starts at.
ModelSource PublishedModel(bool free_capacitance, const std::string& v0);

}  // namespace somafit
