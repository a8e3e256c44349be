#pragma once

#include <map>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "worker/core/lang/ast.h"
#include "worker/core/lang/expression_check.h"
#include "worker/core/lang/model.h"
#include "worker/core/lang/quantity.h"

namespace somafit {

// What names mean while a model is compiled.
class SymbolTable {
 public:
  // A variable of the model.
  struct Variable {
    Meaning meaning;
    bool known = true;                       // the dimension
    const Definition* definition = nullptr;  // those of the text only
  };

  // Both must live as long: the constants, and the names of those that have a
  // mistake too.
  SymbolTable(const std::map<std::string, Quantity>& constants,
              const std::set<std::string>& constant_names)
      : constants_(constants), constant_names_(constant_names) {}

  std::unordered_map<std::string, Variable> variables;
  // nullptr: it has a mistake.
  std::map<std::string, const TimedArray*> timed_arrays;
  // False: variables may be missing, since the text has mistakes.
  bool complete = true;

  // In the order of resolution (language, section 6.2).
  Binding Find(const std::string& name) const;
  // The same outside differential equations, where there is no noise.
  Binding FindWithoutNoise(const std::string& name) const;
  // `binding`, but of a name that nobody knows only the first is to be
  // reported: once is enough.
  Binding SayOnce(const std::string& name, Binding binding);

  // Whether all simulations see one value of it.
  bool IsShared(const std::string& name) const;

  // The names that a misspelt one may have meant, sorted.
  std::vector<std::string> Candidates() const;

 private:
  const std::map<std::string, Quantity>& constants_;
  const std::set<std::string>& constant_names_;
  std::unordered_set<std::string> said_;
};

}  // namespace somafit
