#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/periodic.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

std::string UnitText(const ModelVariable& variable) {
  switch (variable.type) {
    case ValueType::kBoolean:
      return "boolean";
    case ValueType::kInteger:
      return "integer";
    case ValueType::kFloat:
      break;
  }
  return UnitFormula(variable.dimension);
}

// Of InitialValue::state.
const std::string& NameOf(const Model& model, size_t index) {
  const size_t n_states = model.states.size();
  return index < n_states ? model.states[index].name
                          : model.variables[index - n_states].name;
}

class ModelPrinter {
 public:
  explicit ModelPrinter(const Model& model) : model_(model) {}

  std::string Print() {
    PrintGiven();
    PrintVariables();
    for (const InitialValue& initial : model_.initial_values) {
      Line("initial ", NameOf(model_, initial.state), " = ",
           PrintExpression(initial.value));
    }
    PrintEvents();
    if (!model_.methods.empty()) {
      Line("method ", absl::StrJoin(model_.methods, ", "));
    }
    return std::move(text_);
  }

 private:
  template <typename... Parts>
  void Line(const Parts&... parts) {
    absl::StrAppend(&text_, parts...);
    text_ += '\n';
  }

  void PrintGiven() {
    for (const auto& [name, quantity] : model_.constants) {
      Line("constant ", name, " = ", ShortestText(quantity.value), "*",
           UnitFormula(quantity.dimension));
    }
    for (const Channel& input : model_.inputs) {
      Line("input ", input.name, " : ", UnitFormula(input.dimension));
    }
    for (const TimedArray& array : model_.timed_arrays) {
      Line("timed array ", array.name, array.columns > 0 ? "(t, i)" : "(t)",
           " : ", UnitFormula(array.dimension), " (", array.rows(), " rows",
           array.columns > 0 ? absl::StrCat(" of ", array.columns) : "",
           ", one for ", ShortestText(array.dt), "*second)");
    }
  }

  void PrintVariables() {
    for (const ModelVariable& each : model_.parameters) {
      Line("parameter ", each.name, " : ", UnitText(each));
    }
    for (const ModelVariable& each : model_.variables) {
      Line("variable ", each.name, " : ", UnitText(each));
    }
    for (const ModelVariable& each : model_.subexpressions) {
      Line("subexpression ", each.name, " = ", PrintExpression(each.right_side),
           " : ", UnitText(each),
           each.constant_over_dt ? " (constant over dt)" : "");
    }
    for (const std::string& each : model_.noises) Line("noise ", each);
    for (const ModelVariable& each : model_.states) {
      Line("state d", each.name, "/dt = ", PrintExpression(each.right_side),
           " : ", UnitFormula(each.dimension),
           each.unless_refractory ? " (unless refractory)" : "");
    }
  }

  void PrintEvents() {
    if (model_.threshold.valid()) {
      Line("threshold ", PrintExpression(model_.threshold));
    }
    PrintCode("reset", model_.reset);
    if (model_.is_refractory()) {
      Line("refractory ", PrintExpression(model_.refractory.expression),
           model_.refractory.sampled ? " (drawn at each spike)" : "");
    }
    for (const PeriodicCode& each : model_.periodic) {
      std::string head(SlotName(each.slot));
      if (each.dt > 0) {
        absl::StrAppend(&head, " every ", ShortestText(each.dt), "*second");
      }
      PrintCode(head, each.code);
    }
  }

  void PrintCode(const std::string& head, const Code& code) {
    for (const Statement& each : code.statements) {
      Line(head, each.temporary ? " temporary " : " ", each.name, " = ",
           PrintExpression(each.value));
    }
  }

  const Model& model_;
  std::string text_;
};

}  // namespace

std::string PrintModel(const Model& model) {
  return ModelPrinter(model).Print();
}

}  // namespace somafit
