#pragma once

#include <vector>

#include "server/study/coordinator.h"
#include "server/study/records.h"
#include "server/study/store.h"
#include "somafit/v1/fit.pb.h"
#include "somafit/v1/fit_service.pb.h"
#include "somafit/v1/worker_service.pb.h"
#include "worker/core/objective/option.h"

namespace somafit {

// Records of the domain as clients see them.

v1::FitState ToProto(FitState state);
v1::Fit ToProto(const FitRecord& fit);
// As in ListFits: without the model, the weights and the parameters' values.
v1::Fit ToShortProto(const FitRecord& fit);

void AddSample(const SampleRow& row, bool has_penalty, v1::SampleBlock* block);
// What a sample adds to a message, in bytes, at most; `n_traces` is 0 where
// errors of traces are not sent.
size_t SampleBytes(size_t n_parameters, size_t n_outputs, size_t n_traces = 0);

// `samples`: of the event's round; empty for others.
v1::FitEvent ToProto(const EventRecord& event,
                     const std::vector<SampleRow>& samples, bool has_penalty);

v1::Task ToProto(const Task& task);
// As it is shown, with units.
v1::Variable ToProto(const Channel& variable);
v1::WorkerStatus ToProto(const WorkerView& worker);

v1::MemberDescription DescribeMember(std::string_view name,
                                     std::string_view summary,
                                     const std::vector<OptionSpec>& options);

}  // namespace somafit
