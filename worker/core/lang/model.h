#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/data/dataset.h"
#include "worker/core/data/fit_spec.h"
#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/quantity.h"

namespace somafit {

struct ModelVariable {
  std::string name;
  Dimension dimension;
  Span name_span;         // in model.equations
  Expression right_side;  // the derivative, or the formula; parameters: none
  ValueType type = ValueType::kFloat;
  bool constant_over_dt = false;  // a formula taken once, at a step's start
};

struct InitialValue {
  size_t state = 0;  // index into Model::states
  Expression value;
  Source source;  // "model.initial_values.v"
};

// What a name means inside a model's expressions.
struct Meaning {
  enum class Kind {
    kParameter,
    kState,
    kSubexpression,
    kInput,  // `index` into Model's lists
    kTime,
    kTimeStep,    // t and dt
    kStepNumber,  // t_in_timesteps
    kIteration,   // the round's number
    kConstant,    // `value`: unit, pi, constants
  };
  Kind kind = Kind::kConstant;
  size_t index = 0;
  double value = 0;  // SI
  Dimension dimension;
  ValueType type = ValueType::kFloat;
};

// A model whose every name, dimension and flag has been checked.
struct Model {
  Source equations;
  std::vector<ModelVariable> parameters;      // what a fit must bound
  std::vector<ModelVariable> states;          // differential equations
  std::vector<ModelVariable> subexpressions;  // each after those it uses
  // The dataset's inputs, then the targets that the model is coupled to.
  std::vector<Channel> inputs;
  std::vector<size_t> targets;  // those: which output each belongs to
  bool uses_iteration = false;
  std::map<std::string, Quantity> constants;
  std::vector<InitialValue> initial_values;  // in the order of assignment
  std::string method;  // lower case, canonical; "" chooses

  // Resolution order: language, section 6.2. nullopt: unknown.
  std::optional<Meaning> Resolve(const std::string& name) const;
};

// Source text and the channels that a dataset injects -> checked model. All
// independent errors are reported at once; nullopt if there is any.
// `outputs` are the names that will be compared with targets: each must be a
// variable of the model with the channel's dimension.
std::optional<Model> CompileModel(const ModelSource& source,
                                  const std::vector<Channel>& inputs,
                                  const std::vector<Channel>& outputs,
                                  Diagnostics& diagnostics);

// The tree as text, one definition a line, for people and golden tests.
std::string PrintModel(const Model& model);

}  // namespace somafit
