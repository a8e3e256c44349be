#include "worker/core/base/check.h"
#include "worker/core/ir/lowering.h"

// How the values of a model's variables change while a step is lowered.
namespace somafit {

void Lowering::Assign(size_t variable, ValueId value) {
  states_[variable] = value;
  // They may hold it.
  subexpressions_.assign(model_.subexpressions.size(), kNotLowered);
}

void Lowering::MarkUpdated() {
  for (size_t i = 0; i < states_.size(); ++i) {
    const Value& value = builder_.value(states_[i]);
    const auto index = static_cast<int32_t>(i);
    const bool is_old = value.op == Op::kState && value.index == index;
    const bool is_marked = value.op == Op::kUpdated && value.index == index;
    if (!is_old && !is_marked) Assign(i, builder_.Updated(index, states_[i]));
  }
}

void Lowering::Hold() {
  for (size_t i = 0; i < held_.size(); ++i) {
    if (!model_.subexpressions[i].constant_over_dt) continue;
    const ValueId value = LowerVariable(model_.subexpressions[i].name);
    held_[i] = value < 0 ? value : builder_.Emit(Op::kHold, value);
    subexpressions_[i] = held_[i];
  }
}

bool Lowering::Execute(const Code& code, ValueId condition, bool protects) {
  temporaries_.clear();
  bool all = true;
  for (const Statement& statement : code.statements) {
    ValueId value = Lower(statement.value, code.source);
    all = all && value >= 0;
    if (value < 0) continue;
    value = Converted(value, TypeOf(statement.value, statement.value.root),
                      statement.type);
    if (statement.temporary) {
      temporaries_[statement.name] = value;
      continue;
    }
    const std::optional<Meaning>& meaning = Resolve(statement.name);
    SOMAFIT_CHECK(meaning.has_value());
    const bool is_state = meaning->kind == Meaning::Kind::kState;
    SOMAFIT_CHECK(is_state || meaning->kind == Meaning::Kind::kVariable);
    const size_t variable =
        meaning->index + (is_state ? 0 : model_.states.size());
    ValueId where = condition;
    if (protects && is_state &&
        model_.states[meaning->index].unless_refractory) {
      const ValueId may = LowerVariable(kNotRefractory);
      where = where < 0
                  ? may
                  : Operation(Op::kSelect, where, may, builder_.Constant(0));
    }
    if (where >= 0) {
      value = Operation(Op::kSelect, where, value, states_[variable]);
    }
    Assign(variable, value);
  }
  temporaries_.clear();
  return all;
}

}  // namespace somafit
