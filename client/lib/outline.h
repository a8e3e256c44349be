#pragma once

#include <string>

#include "somafit/v1/experiment_outline.pb.h"
#include "somafit/v1/fit.pb.h"

namespace somafit {

// What the worker needs to describe a fit: its model, channels, time step,
// bounds and metrics, and the shape of its recordings, as far as the files that
// it names, relative to `folder`, can be read; else why they cannot.
v1::ExperimentOutline OutlineOf(const v1::FitSpec& spec,
                                const std::string& folder);

}  // namespace somafit
