#include "worker/core/lang/timed_arrays.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/names.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/quantity.h"

namespace somafit {
namespace {

class ArrayReader {
 public:
  ArrayReader(const TimedArraySpec& spec, Diagnostics& diagnostics)
      : spec_(spec),
        field_(absl::StrCat("model.timed_arrays.", ShownName(spec.name))),
        subject_(absl::StrCat("the timed array ", Quoted(spec.name))),
        diagnostics_(diagnostics) {}

  const std::string& field() const { return field_; }
  const std::string& subject() const { return subject_; }

  std::optional<TimedArray> Read() {
    const std::optional<Quantity> unit = ReadUnit();
    const std::optional<double> dt = ReadTimeStep();
    const bool shaped = CheckShape();
    const bool finite = unit && CheckValues(unit->value);
    if (!finite || !dt || !shaped) return std::nullopt;
    TimedArray array;
    array.name = spec_.name;
    array.dimension = unit->dimension;
    array.dt = *dt;
    array.columns = spec_.columns;
    array.values.reserve(spec_.values.size());
    for (const double value : spec_.values) {
      array.values.push_back(value * unit->value);
    }
    return array;
  }

 private:
  void Error(const std::string& part, std::string message, std::string hint) {
    diagnostics_.FieldError("E_INPUT", absl::StrCat(field_, part),
                            absl::StrCat(subject_, " ", std::move(message)),
                            std::move(hint));
  }

  std::optional<Quantity> ReadUnit() {
    if (spec_.unit.empty()) return Quantity{1, kNoDimension};
    const auto unit = EvaluateQuantity(
        {absl::StrCat(field_, ".unit"), spec_.unit}, {}, diagnostics_);
    if (!unit || (std::isfinite(unit->value) && unit->value != 0)) return unit;
    Error(".unit",
          absl::StrCat("has the unit ", Quoted(spec_.unit), ", which is none"),
          "write one like mV or nA");
    return std::nullopt;
  }

  std::optional<double> ReadTimeStep() {
    if (spec_.dt.empty()) {
      Error(".dt", "has no dt",
            "give the time that a value holds for, e.g. 1*ms");
      return std::nullopt;
    }
    const auto dt = EvaluateQuantityOf({absl::StrCat(field_, ".dt"), spec_.dt},
                                       kTimeDimension, diagnostics_);
    if (!dt || (std::isfinite(*dt) && *dt > 0)) return dt;
    Error(".dt", absl::StrCat("has a dt of ", ShortestText(*dt), " in SI"),
          "it must be finite and above 0");
    return std::nullopt;
  }

  bool CheckShape() {
    const size_t size = spec_.values.size();
    if (size == 0) {
      Error(".values", "has no values", "give at least one");
    } else if (size > kMaxTimedArrayValues) {
      Error(".values", absl::StrCat("has ", size, " values"),
            absl::StrCat("at most ", kMaxTimedArrayValues, " are read"));
    } else if (spec_.columns < 0) {
      Error(".columns", absl::StrCat("has ", spec_.columns, " columns"),
            "give their number, or 0 for a function of time alone");
    } else if (spec_.columns > 0 &&
               size % static_cast<size_t>(spec_.columns) != 0) {
      Error(".columns",
            absl::StrCat("has ", size, " values, which do not fill rows of ",
                         spec_.columns),
            "give rows of all columns, one after the other");
    } else {
      return true;
    }
    return false;
  }

  bool CheckValues(double scale) {
    const auto bad =
        std::find_if(spec_.values.begin(), spec_.values.end(),
                     [scale](double x) { return !std::isfinite(x * scale); });
    if (bad == spec_.values.end()) return true;
    Error(".values",
          absl::StrCat("has ", ShortestText(*bad), " as value ",
                       bad - spec_.values.begin()),
          "values must be finite");
    return false;
  }

  const TimedArraySpec& spec_;
  std::string field_;
  std::string subject_;
  Diagnostics& diagnostics_;
};

bool CheckName(const TimedArraySpec& spec, const ArrayReader& reader,
               const std::vector<std::string>& outputs,
               const SymbolTable& symbols, const Model& model,
               Diagnostics& diagnostics) {
  const auto reason = ReasonReserved(spec.name, outputs);
  if (!IsIdentifier(spec.name) || reason) {
    diagnostics.FieldError(
        "E_NAME", reader.field(),
        absl::StrCat(reader.subject(), " cannot have this name",
                     reason ? absl::StrCat(", it ", *reason) : ""),
        "choose another name");
    return false;
  }
  std::string other;
  const auto variable = symbols.variables.find(spec.name);
  if (variable != symbols.variables.end()) {
    other = variable->second.meaning.kind == Meaning::Kind::kInput
                ? "an input of the dataset"
                : "a variable of the model";
  } else if (symbols.timed_arrays.count(spec.name) > 0) {
    other = "another one";
  } else if (model.constants.count(spec.name) > 0) {
    other = "a constant";
  } else {
    return true;
  }
  diagnostics.FieldError(
      "E_DUP", reader.field(),
      absl::StrCat(reader.subject(), " has the name of ", other),
      "rename one of them");
  return false;
}

}  // namespace

void ReadTimedArrays(const std::vector<TimedArraySpec>& specs,
                     const std::vector<std::string>& outputs,
                     SymbolTable& symbols, Model& model,
                     Diagnostics& diagnostics) {
  if (specs.size() > kMaxDefinitions) {
    diagnostics.FieldError(
        "E_PARSE", "model.timed_arrays",
        absl::StrCat("there are ", specs.size(), " entries, at most ",
                     kMaxDefinitions, " are read"));
    return;
  }
  model.timed_arrays.reserve(specs.size());  // `symbols` points into it.
  for (const TimedArraySpec& spec : specs) {
    ArrayReader reader(spec, diagnostics);
    const bool named =
        CheckName(spec, reader, outputs, symbols, model, diagnostics);
    std::optional<TimedArray> array = reader.Read();
    const TimedArray* known = nullptr;
    if (named && array) {
      model.timed_arrays.push_back(*std::move(array));
      known = &model.timed_arrays.back();
    }
    // Of a name that stands for something else, that is still meant.
    if (model.constants.count(spec.name) == 0) {
      symbols.timed_arrays.emplace(spec.name, known);
    }
  }
}

}  // namespace somafit
