#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/diagnostic.h"
#include "worker/core/lang/model.h"

namespace somafit {

// What a name stands for where an expression is checked.
struct Binding {
  enum class Kind {
    kKnown,
    kUnknownDimension,  // its definition has a mistake, reported elsewhere
    kNotAvailable,      // a name of the language, but not here; see `reason`
    kTimedArray,        // to be called; see `timed_array`
    kUnknown,           // nobody has heard of it
    kIgnored,           // as kUnknown, but not to be reported
  };
  Kind kind = Kind::kUnknown;
  Meaning meaning;  // kKnown
  // kNotAvailable: an error's code, a clause that follows the name, the remedy.
  std::string code = "E_UNSUPPORTED";
  std::string reason;
  std::string hint;
  const TimedArray* timed_array = nullptr;  // nullptr: it has a mistake
};

// Where an expression is checked.
struct Scope {
  const Source& source;
  std::string place;  // "in the definition of `dv/dt`", or ""
  std::function<Binding(const std::string&)> find;
  // Names that a misspelt one may have meant, rather than DefaultNames().
  std::function<std::vector<std::string>()> candidates;
};

// What is known of an expression. No dimension: there is an error in it.
struct Checked {
  std::optional<Dimension> dimension;
  std::optional<double> value;  // where all in it is known beforehand
  ValueType type = ValueType::kFloat;
  std::vector<ValueType> types;  // per node
};

// Resolves every name, and checks calls, types and dimensions (language,
// sections 1.4, 2.7 and 6.2) in one loop over the nodes; reports all
// independent mistakes.
Checked CheckExpression(const Expression& expression, const Scope& scope,
                        Diagnostics& diagnostics);

}  // namespace somafit
