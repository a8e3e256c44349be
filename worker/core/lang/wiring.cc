#include "worker/core/lang/wiring.h"

#include <algorithm>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/names.h"
#include "worker/core/units/unit.h"

namespace somafit {
namespace {

// False: it is not to be there, since the model's own definition stays.
bool CheckInput(const Channel& input, const std::vector<std::string>& outputs,
                const std::unordered_set<std::string>& used,
                const SymbolTable& symbols, const Source& equations,
                Diagnostics& diagnostics) {
  const std::string field =
      absl::StrCat("dataset.inputs.", ShownName(input.name));
  const std::string name = absl::StrCat("the input ", Quoted(input.name));
  const auto reason = ReasonReserved(input.name, outputs);
  const auto found = symbols.variables.find(input.name);
  const bool there = found != symbols.variables.end();
  const bool added =
      there && found->second.meaning.kind == Meaning::Kind::kVariable;
  if (!IsIdentifier(input.name) || reason || added) {
    diagnostics.FieldError(
        "E_NAME", field,
        absl::StrCat(name, " cannot have this name",
                     reason  ? absl::StrCat(", it ", *reason)
                     : added ? ", it belongs to the refractory period"
                             : ""),
        "rename it in the dataset");
  } else if (there && found->second.definition == nullptr) {
    diagnostics.FieldError("E_INPUT", field,
                           absl::StrCat(name, " is there twice"));
  } else if (there) {
    diagnostics.Error(
        "E_INPUT", equations, found->second.definition->name_span,
        absl::StrCat(Quoted(input.name),
                     " is an input of the dataset, the model must not "
                     "define it"),
        "remove its definition, the data take its place");
    return false;
  } else if (used.count(input.name) == 0 && symbols.complete) {
    diagnostics.FieldError(
        "E_INPUT", field,
        absl::StrCat(name, " is not used in the model's equations"),
        "use it, e.g. as `+ I` in a membrane equation");
  }
  return true;
}

void CheckSpikes(const Channel& output, const SymbolTable& symbols,
                 bool has_threshold, const std::string& field,
                 Diagnostics& diagnostics) {
  if (symbols.variables.count(output.name) > 0) {
    diagnostics.FieldError("E_INPUT", field,
                           "the output `spikes` means the model's spikes, but "
                           "the model has a variable of that name",
                           "rename the variable");
  } else if (!has_threshold) {
    diagnostics.FieldError("E_INPUT", field,
                           "the output `spikes` needs spikes, but the model "
                           "has no threshold",
                           "give a threshold such as v > -50*mV");
  } else if (!output.dimension.IsNone()) {
    diagnostics.FieldError(
        "E_DIM", field,
        absl::StrCat("numbers of spikes have no unit, the output has ",
                     ReadableDimension(output.dimension)),
        "give the number of spikes in each step");
  }
}

}  // namespace

void WireInputs(const std::vector<Channel>& inputs,
                const std::vector<Channel>& outputs,
                const std::unordered_set<std::string>& used,
                SymbolTable& symbols, Model& model, Diagnostics& diagnostics) {
  std::vector<std::string> output_names;
  for (const Channel& output : outputs) output_names.push_back(output.name);
  const auto add = [&symbols](const Channel& channel) {
    const SymbolTable::Variable variable{
        {Meaning::Kind::kInput, 0, 0, channel.dimension}};
    return symbols.variables.emplace(channel.name, variable).second;
  };
  for (const Channel& input : inputs) {
    if (!CheckInput(input, output_names, used, symbols, model.equations,
                    diagnostics)) {
      continue;
    }
    add(input);
    model.inputs.push_back(input);
  }
  for (size_t i = 0; i < outputs.size(); ++i) {
    const Channel target{absl::StrCat(outputs[i].name, "_target"),
                         outputs[i].dimension};
    if (used.count(target.name) == 0 || !add(target)) continue;
    model.inputs.push_back(target);
    model.targets.push_back(i);
  }
}

void CheckOutputs(const std::vector<Channel>& outputs,
                  const SymbolTable& symbols, const Source& equations,
                  bool has_threshold, Diagnostics& diagnostics) {
  for (const Channel& output : outputs) {
    const std::string field =
        absl::StrCat("dataset.outputs.", ShownName(output.name));
    if (output.name == kSpikes) {
      CheckSpikes(output, symbols, has_threshold, field, diagnostics);
      continue;
    }
    const auto found = symbols.variables.find(output.name);
    if (found == symbols.variables.end() ||
        found->second.meaning.kind == Meaning::Kind::kInput) {
      if (!symbols.complete) continue;
      std::vector<std::string> names;
      for (const auto& [name, variable] : symbols.variables) {
        if (variable.meaning.kind != Meaning::Kind::kInput) {
          names.push_back(name);
        }
      }
      std::sort(names.begin(), names.end());
      const std::string nearest = NearestWord(output.name, names);
      diagnostics.FieldError(
          "E_INPUT", field,
          absl::StrCat("the output ", Quoted(output.name),
                       " is not defined by the model"),
          nearest.empty() ? "define it in the model, or rename it in the "
                            "dataset"
                          : absl::StrCat("did you mean `", nearest, "`?"));
      continue;
    }
    const SymbolTable::Variable& variable = found->second;
    if (!variable.known || variable.meaning.dimension == output.dimension) {
      continue;
    }
    const std::string message =
        absl::StrCat("the model's ", Quoted(output.name), " has the unit ",
                     ReadableDimension(variable.meaning.dimension),
                     " but the data of this output have the unit ",
                     ReadableDimension(output.dimension));
    if (variable.definition == nullptr) {
      diagnostics.FieldError("E_DIM", field, message);
    } else {
      diagnostics.Error("E_DIM", equations, variable.definition->name_span,
                        message);
    }
  }
}

}  // namespace somafit
