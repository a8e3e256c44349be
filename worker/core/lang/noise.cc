#include "worker/core/lang/noise.h"

#include <set>
#include <variant>

#include "absl/strings/str_cat.h"

#include "worker/core/lang/names.h"

namespace somafit {

std::vector<std::string> FindNoises(const EquationBlock& block,
                                    const Source& source,
                                    Diagnostics& diagnostics) {
  std::set<std::string> found;
  const Definition* with_plain = nullptr;
  for (const Definition& definition : block.definitions) {
    if (definition.kind != Definition::Kind::kDifferential) continue;
    bool reported = false;
    for (const Node& node : definition.right_side.nodes) {
      const auto* const name = std::get_if<Name>(&node.form);
      if (name == nullptr || !IsNoiseName(name->name)) continue;
      found.insert(name->name);
      if (name->name != "xi" || reported) continue;
      if (with_plain == nullptr) with_plain = &definition;
      if (with_plain == &definition) continue;
      diagnostics.Error(
          "E_XI", source, node.span,
          absl::StrCat("`xi` is in the equations of ", Quoted(with_plain->name),
                       " and of ", Quoted(definition.name),
                       ", it may be in one only"),
          "write `xi_1` in both for one noise, or `xi_1` and `xi_2` for two "
          "that are independent");
      reported = true;
    }
  }
  return {found.begin(), found.end()};
}

}  // namespace somafit
