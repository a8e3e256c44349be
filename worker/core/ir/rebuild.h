#pragma once

#include <utility>

#include "worker/core/ir/program_builder.h"

namespace somafit {

// The form of most passes: a Program made anew, value by value. `copy` is
// called as copy(id, value, renamed, builder) for each value in order, and
// returns what takes its place; `renamed` maps the values before it.
template <typename CopyValue>
Program Rebuild(const Program& program, CopyValue&& copy) {
  ProgramBuilder builder(program);
  std::vector<ValueId> renamed;
  renamed.reserve(program.values.size());
  for (size_t id = 0; id < program.values.size(); ++id) {
    renamed.push_back(copy(static_cast<ValueId>(id), program.values[id],
                           std::as_const(renamed), builder));
  }
  Program result = std::move(builder.program());
  const auto rename = [&renamed](const std::vector<ValueId>& ids) {
    std::vector<ValueId> result_ids;
    result_ids.reserve(ids.size());
    for (const ValueId id : ids) result_ids.push_back(renamed[id]);
    return result_ids;
  };
  result.initial = rename(program.initial);
  result.next = rename(program.next);
  result.observed = rename(program.observed);
  if (program.spike >= 0) result.spike = renamed[program.spike];
  if (program.integration) {
    result.integration = program.integration;
    result.integration->from = rename(program.integration->from);
    result.integration->slopes = rename(program.integration->slopes);
    result.integration->jacobian = rename(program.integration->jacobian);
    result.integration->by_time = rename(program.integration->by_time);
  }
  return result;
}

}  // namespace somafit
