#include "worker/core/lang/periodic.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/parser.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/lang/statements.h"

namespace somafit {
namespace {

constexpr size_t kMaxPeriodic = 64;

// In the order of Slot.
constexpr std::string_view kSlots[] = {
    "before_start",      "start",      "after_start",
    "before_groups",     "groups",     "after_groups",
    "before_thresholds", "thresholds", "after_thresholds",
    "before_synapses",   "synapses",   "after_synapses",
    "before_resets",     "resets",     "after_resets",
    "before_end",        "end",        "after_end"};
static_assert(std::size(kSlots) == static_cast<size_t>(Slot::kAfterEnd) + 1);

Slot ReadSlot(const std::string& when, const std::string& field,
              Diagnostics& diagnostics) {
  const std::string name(absl::StripAsciiWhitespace(when));
  if (name.empty()) return Slot::kStart;
  const auto* const found =
      std::find(std::begin(kSlots), std::end(kSlots), name);
  if (found != std::end(kSlots)) {
    return static_cast<Slot>(found - std::begin(kSlots));
  }
  const std::vector<std::string> names(std::begin(kSlots), std::end(kSlots));
  const std::string nearest = NearestWord(name, names);
  diagnostics.FieldError(
      "E_OPTION", field, absl::StrCat("a step has no slot ", Quoted(when)),
      absl::StrCat(nearest.empty() ? "" : "did you mean `", nearest,
                   nearest.empty() ? "" : "`? ",
                   "There are: start, groups, "
                   "thresholds, synapses, resets, end, each also with before_ "
                   "or after_"));
  return Slot::kStart;
}

double ReadPeriod(const Source& source, Diagnostics& diagnostics) {
  if (IsBlank(source.text)) return 0;
  const auto dt = EvaluateQuantityOf(source, kTimeDimension, diagnostics);
  if (!dt || (std::isfinite(*dt) && *dt > 0)) return dt.value_or(0);
  diagnostics.Error("E_OPTION", source, {0, source.text.size()},
                    absl::StrCat("the dt of the code is ", ShortestText(*dt),
                                 " in SI; it must be finite and above 0"),
                    "give a multiple of the fit's dt, or leave it out for "
                    "every step");
  return 0;
}

}  // namespace

std::string_view SlotName(Slot slot) {
  return kSlots[static_cast<size_t>(slot)];
}

std::vector<PeriodicCode> ParsePeriodic(const std::vector<PeriodicSpec>& specs,
                                        Diagnostics& diagnostics) {
  std::vector<PeriodicCode> result;
  if (specs.size() > kMaxPeriodic) {
    diagnostics.FieldError(
        "E_PARSE", "model.periodic",
        absl::StrCat("there are ", specs.size(), " entries, at most ",
                     kMaxPeriodic, " are read"));
    return result;
  }
  for (size_t i = 0; i < specs.size() && !diagnostics.full(); ++i) {
    const PeriodicSpec& spec = specs[i];
    const std::string field = absl::StrCat("model.periodic[", i, "]");
    PeriodicCode periodic;
    periodic.code.source = {absl::StrCat(field, ".code"), spec.code};
    periodic.code.statements =
        ParseStatements(periodic.code.source, diagnostics);
    periodic.slot =
        ReadSlot(spec.when, absl::StrCat(field, ".when"), diagnostics);
    periodic.dt =
        ReadPeriod({absl::StrCat(field, ".dt"), spec.dt}, diagnostics);
    result.push_back(std::move(periodic));
  }
  std::stable_sort(result.begin(), result.end(),
                   [](const PeriodicCode& a, const PeriodicCode& b) {
                     return a.slot < b.slot;
                   });
  return result;
}

}  // namespace somafit
