#include "worker/core/ir/solver_parts.h"

#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/check.h"
#include "worker/core/ir/passes.h"
#include "worker/core/ir/program_builder.h"

namespace somafit {
namespace {

class Taker {
 public:
  explicit Taker(const Program& program)
      : program_(program), integration_(*program.integration) {
    for (const Value& value : program.values) {
      bool inner = value.op == Op::kInner || value.op == Op::kElapsed;
      for (const ValueId operand : {value.a, value.b, value.c}) {
        inner = inner || (operand >= 0 && inner_[operand]);
      }
      inner_.push_back(inner);
    }
    FindCrossings();
  }

  SolverParts Take() {
    std::vector<ValueId> derivatives = integration_.jacobian;
    derivatives.insert(derivatives.end(), integration_.by_time.begin(),
                       integration_.by_time.end());
    return {Before(), RightSide(integration_.slopes), RightSide(derivatives),
            After()};
  }

 private:
  // What a right-hand side takes from the step: constants are none.
  void FindCrossings() {
    std::vector<bool> needed(program_.values.size(), false);
    for (const auto* ids : {&integration_.slopes, &integration_.jacobian,
                            &integration_.by_time}) {
      for (const ValueId id : *ids) needed[id] = true;
    }
    const std::vector<Rate> rates = Rates(program_);
    crossing_.resize(needed.size(), -1);
    for (size_t id = needed.size(); id-- > 0;) {
      if (!needed[id]) continue;
      if (!inner_[id] && rates[id] != Rate::kOnce) {
        crossings_.push_back(static_cast<ValueId>(id));
        continue;
      }
      const Value& value = program_.values[id];
      for (const ValueId operand : {value.a, value.b, value.c}) {
        if (operand >= 0) needed[operand] = true;
      }
    }
    for (size_t i = 0; i < crossings_.size(); ++i) {
      crossing_[crossings_[i]] = static_cast<int32_t>(i);
    }
  }

  Program Header() const {
    Program header = program_;
    header.values.clear();
    header.integration.reset();
    header.given.clear();  // parameters like others
    header.spike = -1;
    return header;
  }

  static Program Checked(ProgramBuilder& builder) {
    Program part = DropDeadValues(std::move(builder.program()));
    const absl::Status status = VerifyProgram(part);
    if (!status.ok()) {
      std::fprintf(stderr, "%s\n", std::string(status.message()).c_str());
    }
    SOMAFIT_CHECK(status.ok());
    return part;
  }

  Program Before() const {
    Program header = Header();
    header.outputs.clear();
    std::vector<ValueId> observed = integration_.from;
    observed.insert(observed.end(), crossings_.begin(), crossings_.end());
    for (const ValueId id : observed) {
      header.outputs.push_back(absl::StrCat("%", id));
    }
    ProgramBuilder builder(header);
    std::vector<ValueId> renamed;
    for (size_t id = 0; id < program_.values.size(); ++id) {
      const Value& value = program_.values[id];
      const bool later = inner_[id] || IsSolved(value, renamed);
      renamed.push_back(later ? -1 : builder.Copy(value, renamed, false));
    }
    Program& part = builder.program();
    for (size_t i = 0; i < part.states.size(); ++i) {
      const ValueId state = builder.State(static_cast<int32_t>(i));
      part.next.push_back(state);
      part.initial.push_back(builder.Constant(0));
    }
    for (const ValueId id : observed) part.observed.push_back(renamed[id]);
    return Checked(builder);
  }

  // Whether a value is made after integration: it or an operand is not there.
  static bool IsSolved(const Value& value,
                       const std::vector<ValueId>& renamed) {
    if (value.op == Op::kSolved) return true;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0 && renamed[operand] < 0) return true;
    }
    return false;
  }

  Program RightSide(const std::vector<ValueId>& results) const {
    Program header = Header();
    const size_t n = program_.n_integrated();
    header.parameters.assign(
        program_.states.begin(),
        program_.states.begin() + std::ssize(integration_.slopes));
    header.parameters.emplace_back("elapsed");
    for (const ValueId id : crossings_) {
      header.parameters.push_back(absl::StrCat("%", id));
    }
    header.states.clear();
    header.n_variables = 0;
    header.inputs.clear();
    header.targets.clear();
    header.noises.clear();
    header.outputs.clear();
    for (size_t i = 0; i < results.size(); ++i) {
      header.outputs.push_back(absl::StrCat("slope ", i));
    }
    ProgramBuilder builder(header);
    std::vector<ValueId> renamed;
    for (size_t id = 0; id < program_.values.size(); ++id) {
      renamed.push_back(InRightSide(id, n, renamed, builder));
    }
    Program& part = builder.program();
    for (const ValueId id : results) part.observed.push_back(renamed[id]);
    return Checked(builder);
  }

  // -1: it takes no part.
  ValueId InRightSide(size_t id, size_t n, const std::vector<ValueId>& renamed,
                      ProgramBuilder& builder) const {
    const Value& value = program_.values[id];
    if (value.op == Op::kInner) return builder.Parameter(value.index);
    if (value.op == Op::kElapsed) {
      return builder.Parameter(static_cast<int32_t>(n));
    }
    if (crossing_[id] >= 0) {
      return builder.Parameter(static_cast<int32_t>(n) + 1 + crossing_[id]);
    }
    if (OpArity(value.op) == 0 && value.op != Op::kConstant) return -1;
    for (const ValueId operand : {value.a, value.b, value.c}) {
      if (operand >= 0 && renamed[operand] < 0) return -1;
    }
    // There are no states here to name.
    if (value.op == Op::kUpdated) return renamed[value.a];
    return builder.Copy(value, renamed, false);
  }

  Program After() const {
    Program header = Header();
    for (const std::string& state : program_.states) {
      header.parameters.push_back(absl::StrCat("solved ", state));
    }
    ProgramBuilder builder(header);
    const auto first = static_cast<int32_t>(program_.parameters.size());
    std::vector<ValueId> renamed;
    for (size_t id = 0; id < program_.values.size(); ++id) {
      const Value& value = program_.values[id];
      renamed.push_back(inner_[id] ? -1
                        : value.op == Op::kSolved
                            ? builder.Parameter(first + value.index)
                            : builder.Copy(value, renamed, false));
    }
    Program& part = builder.program();
    const auto rename = [&renamed](const std::vector<ValueId>& ids) {
      std::vector<ValueId> result;
      for (const ValueId id : ids) result.push_back(renamed[id]);
      return result;
    };
    part.initial = rename(program_.initial);
    part.next = rename(program_.next);
    part.observed = rename(program_.observed);
    return Checked(builder);
  }

  const Program& program_;
  const Integration& integration_;
  std::vector<bool> inner_;  // per value: of a right-hand side
  std::vector<ValueId> crossings_;
  std::vector<int32_t> crossing_;  // per value: its place among these, or -1
};

}  // namespace

SolverParts TakeApart(const Program& program) {
  SOMAFIT_CHECK(program.integration.has_value());
  return Taker(program).Take();
}

}  // namespace somafit
