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
#include "worker/core/lang/solver_options.h"

namespace somafit {

struct ModelVariable {
  std::string name;
  Dimension dimension;
  Span name_span;         // in model.equations
  Expression right_side;  // the derivative, or the formula; parameters: none
  ValueType type = ValueType::kFloat;
  bool constant_over_dt = false;  // a formula taken once, at a step's start
  bool unless_refractory =
      false;  // a state; only where there is refractoriness
};

struct InitialValue {
  size_t state = 0;  // index into Model::states, then Model::variables
  Expression value;
  Source source;  // "model.initial_values.v"
};

// `name = value`; of `x op= e` the value is x op (e).
struct Statement {
  std::string name;  // of a state, a variable, or a temporary
  Span name_span;
  bool temporary = false;  // belongs to the code, is no variable of the model
  ValueType type = ValueType::kFloat;  // of what is assigned to
  Expression value;
};

// Statements, executed in order. Names of temporaries hide constants.
struct Code {
  Source source;  // "model.reset"
  std::vector<Statement> statements;
};

// When in a step code runs: language, section 4.2. "Before" and "after" are
// slots of their own; what the language does in a slot by itself happens where
// the comments say.
enum class Slot : uint8_t {
  kBeforeStart,  // then subexpressions that are constant over dt
  kStart,        // then outputs are observed
  kAfterStart,
  kBeforeGroups,
  kGroups,  // then the refractory flag, then integration
  kAfterGroups,
  kBeforeThresholds,
  kThresholds,  // then the threshold
  kAfterThresholds,
  kBeforeSynapses,
  kSynapses,
  kAfterSynapses,
  kBeforeResets,
  kResets,  // then the reset
  kAfterResets,
  kBeforeEnd,
  kEnd,
  kAfterEnd,
};

struct PeriodicCode {
  Code code;
  Slot slot = Slot::kStart;
  double dt = 0;  // [s]; 0: in every step
};

struct Refractory {
  enum class Form : uint8_t {
    kNone,       // the model is never refractory
    kTime,       // so long after a spike
    kCondition,  // a spike until this is false
  };
  Form form = Form::kNone;
  Expression expression;
  Source source;
  // A time with random functions: taken once at each spike, after the reset,
  // and kept in the variable kRefractoryTime.
  bool sampled = false;
};

// Variables that refractoriness adds.
inline constexpr char kNotRefractory[] = "not_refractory";
inline constexpr char kLastSpike[] = "lastspike";
inline constexpr char kRefractoryTime[] = "refractory";

// A staircase, see TimedArraySpec; values in SI.
struct TimedArray {
  std::string name;
  Dimension dimension;
  double dt = 0;        // [s]
  int64_t columns = 0;  // 0: a function of time alone
  std::vector<double> values;
  int64_t rows() const {
    return static_cast<int64_t>(values.size()) / (columns > 0 ? columns : 1);
  }
};

// How a method is chosen for a model that names none.
enum class MethodChoice : uint8_t {
  kBest,   // exact wherever the equations are linear
  kBrian,  // as Brian 2 does, which has no exact solution of some of them
};

// What a name means inside a model's expressions.
struct Meaning {
  enum class Kind {
    kParameter,
    kState,
    kVariable,
    kSubexpression,
    kInput,
    kNoise,  // `index` into Model's lists
    kTime,
    kTimeStep,    // t and dt
    kStepNumber,  // t_in_timesteps
    kIteration,   // the round's number
    kLaneNumber,  // i: the simulation's number within its round
    kLaneCount,   // N: simulations in a round
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
  std::vector<ModelVariable> parameters;  // what a fit must bound
  std::vector<ModelVariable> states;      // differential equations
  // What else is carried from step to step: variables without an equation that
  // have an initial value or are assigned to, then those of refractoriness. One
  // without an initial value begins as the parameter of its name; one that has
  // an initial value is no parameter.
  std::vector<ModelVariable> variables;
  std::vector<ModelVariable> subexpressions;  // each after those it uses
  // The dataset's inputs, then the targets that the model is coupled to.
  std::vector<Channel> inputs;
  std::vector<size_t> targets;  // those: which output each belongs to
  bool uses_iteration = false;
  bool uses_lane_number = false;
  bool uses_lane_count = false;
  std::vector<std::string> noises;  // "xi", "xi_1": noise symbols, sorted
  int32_t n_random_sites = 0;       // occurrences of rand, randn, poisson
  std::vector<TimedArray> timed_arrays;
  std::map<std::string, Quantity> constants;
  std::vector<InitialValue> initial_values;  // in the order of assignment
  Source threshold_source;
  Expression threshold;  // not valid: none
  Code reset;
  Refractory refractory;
  std::vector<PeriodicCode> periodic;  // in the order of execution
  // Tried in this order, by canonical names; none: chosen by method_choice.
  std::vector<std::string> methods;
  MethodChoice method_choice = MethodChoice::kBest;
  SolverOptions solver_options;

  bool is_refractory() const {
    return refractory.form != Refractory::Form::kNone;
  }

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
