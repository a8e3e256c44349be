#include "worker/core/lang/method.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "worker/core/base/number.h"
#include "worker/core/lang/quantity.h"
#include "worker/core/lang/source.h"

namespace somafit {
namespace {

constexpr char kField[] = "model.method";
constexpr size_t kMostMethods = 20;  // named by one model

constexpr std::string_view kAvailable[] = {
    "exact",      "exponential_euler", "euler",  "rk2",         "rk4",
    "heun",       "milstein",          "dopri5", "cash_karp54", "fehlberg78",
    "rosenbrock4"};

// Those that choose their steps.
constexpr std::string_view kSolvers[] = {"dopri5", "cash_karp54", "fehlberg78",
                                         "rosenbrock4"};

// Brian's solvers of the GNU Scientific Library, and what stands for them.
struct GslName {
  std::string_view name;
  std::string_view solver;
};
constexpr GslName kGsl[] = {
    {"gsl", "cash_karp54"},      {"gsl_rkf45", "cash_karp54"},
    {"gsl_rk2", "cash_karp54"},  {"gsl_rk4", "cash_karp54"},
    {"gsl_rkck", "cash_karp54"}, {"gsl_rk8pd", "fehlberg78"},
};

template <size_t n>
bool Contains(const std::string_view (&names)[n], std::string_view name) {
  return std::find(std::begin(names), std::end(names), name) != std::end(names);
}

std::vector<std::string> NamesIn(const std::string& text) {
  std::vector<std::string> names;
  for (const absl::string_view part : absl::StrSplit(text, ',')) {
    names.push_back(absl::AsciiStrToLower(absl::StripAsciiWhitespace(part)));
  }
  return names;
}

// "" for a name that is reported.
std::string Canonical(const std::string& name, Diagnostics& diagnostics) {
  if (name == "linear") return "exact";
  if (Contains(kAvailable, name)) return name;
  for (const GslName& gsl : kGsl) {
    if (gsl.name != name) continue;
    diagnostics.Keep({Severity::kNote,
                      "W_METHOD",
                      kField,
                      {},
                      absl::StrCat("the method ", Quoted(name), " is ",
                                   std::string(gsl.solver), " here"),
                      "its tolerances and other options mean the same",
                      ""});
    return std::string(gsl.solver);
  }
  const std::vector<std::string> names(std::begin(kAvailable),
                                       std::end(kAvailable));
  if (name == "independent") {
    diagnostics.FieldError("E_METHOD", kField,
                           "the method `independent` is deprecated",
                           "use exact");
  } else {
    const std::string nearest = NearestWord(name, names);
    diagnostics.FieldError(
        "E_METHOD", kField,
        absl::StrCat("the method ", Quoted(name), " is unknown"),
        nearest.empty() ? absl::StrCat("known: ", absl::StrJoin(names, ", "))
                        : absl::StrCat("did you mean `", nearest, "`?"));
  }
  return "";
}

// Reads one option's text, reporting what does not fit.
class OptionReader {
 public:
  OptionReader(const NamedText& option, Diagnostics& diagnostics)
      : source_{absl::StrCat("model.method_options.", ShownName(option.name)),
                option.text},
        diagnostics_(diagnostics) {}

  const Source& source() const { return source_; }

  void Refuse(const std::string& message, const std::string& hint) {
    diagnostics_.Error("E_OPTION", source_, {0, source_.text.size()}, message,
                       hint);
  }

  bool Truth(bool otherwise) {
    const std::string word = absl::AsciiStrToLower(
        std::string(absl::StripAsciiWhitespace(source_.text)));
    if (word == "true") return true;
    if (word == "false") return false;
    Refuse(absl::StrCat(Quoted(source_.text), " is neither true nor false"),
           "write one of them");
    return otherwise;
  }

  // Between two numbers.
  double Number(double least, double most, double otherwise) {
    const auto number = EvaluateQuantityOf(source_, kNoDimension, diagnostics_);
    return number ? InRange(*number, least, most, otherwise) : otherwise;
  }

  double InRange(double number, double least, double most, double otherwise) {
    if (number >= least && number <= most) return number;
    Refuse(absl::StrCat(ShortestText(number), " is not within ",
                        ShortestText(least), " and ", ShortestText(most)),
           "give one that is");
    return otherwise;
  }

 private:
  const Source source_;
  Diagnostics& diagnostics_;
};

constexpr double kLargestError = 1e6;
constexpr double kMostSteps = 1e5;

// "v: 1*uvolt, w: 1*pA", also as Python prints it.
void ReadErrorsOfStates(OptionReader& reader,
                        const std::vector<ModelVariable>& states,
                        std::vector<double>& errors, Diagnostics& diagnostics) {
  constexpr size_t kMostLetters = 100'000;
  absl::string_view list = absl::StripAsciiWhitespace(reader.source().text);
  if (list.size() > kMostLetters) {
    reader.Refuse(absl::StrCat("this is longer than ", kMostLetters, " bytes"),
                  "name fewer variables");
    return;
  }
  std::map<std::string, size_t> places;
  for (size_t i = 0; i < states.size(); ++i) places.emplace(states[i].name, i);
  std::set<std::string> given;
  if (absl::StartsWith(list, "{") && absl::EndsWith(list, "}")) {
    list = list.substr(1, list.size() - 2);
  }
  for (const absl::string_view entry :
       absl::StrSplit(list, ',', absl::SkipWhitespace())) {
    const std::vector<absl::string_view> parts =
        absl::StrSplit(entry, absl::MaxSplits(':', 1));
    std::string name(absl::StripAsciiWhitespace(parts[0]));
    std::erase_if(name, [](char c) { return c == '\'' || c == '"'; });
    const auto place = places.find(name);
    if (parts.size() < 2 || place == places.end()) {
      reader.Refuse(
          parts.size() < 2
              ? absl::StrCat(Quoted(std::string(entry)), " gives no tolerance")
              : absl::StrCat(Quoted(name), " has no differential equation"),
          "write variable: tolerance, e.g. v: 1*uvolt");
      return;
    }
    if (!given.insert(name).second) {
      reader.Refuse(absl::StrCat(Quoted(name), " is given twice"),
                    "give it once");
      return;
    }
    const size_t state = place->second;
    const auto error =
        EvaluateQuantityOf({reader.source().field,
                            std::string(absl::StripAsciiWhitespace(parts[1]))},
                           states[state].dimension, diagnostics);
    if (!error) return;
    errors[state] = reader.InRange(*error, 0, kLargestError, errors[state]);
  }
}

// Whether it is an option of the solvers; enters what it says.
bool ReadSolverOption(const NamedText& option,
                      const std::vector<ModelVariable>& states,
                      SolverOptions& options, Diagnostics& diagnostics) {
  OptionReader reader(option, diagnostics);
  if (option.name == "relative_error") {
    options.relative_error = reader.Number(0, 1, options.relative_error);
  } else if (option.name == "absolute_error") {
    const double error = reader.Number(0, kLargestError, 0);
    options.absolute_errors.assign(states.size(), error);
  } else if (option.name == "absolute_error_per_variable") {
    ReadErrorsOfStates(reader, states, options.absolute_errors, diagnostics);
  } else if (option.name == "max_steps") {
    const double steps = reader.Number(0, kMostSteps, 1);
    if (steps != std::floor(steps)) {
      reader.Refuse(absl::StrCat(ShortestText(steps), " is no whole number"),
                    "give one; 0 means 100000");
    }
    options.max_steps = static_cast<int64_t>(steps > 0 ? steps : kMostSteps);
  } else if (option.name == "adaptable_timestep") {
    options.adaptable_timestep = reader.Truth(true);
  } else if (option.name == "use_last_timestep") {
    options.use_last_timestep = reader.Truth(true);
  } else if (option.name == "save_failed_steps" ||
             option.name == "save_step_count") {
    if (reader.Truth(false)) {
      reader.Refuse("numbers of steps are not kept",
                    "remove it, or give false");
    }
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::vector<std::string> ReadMethods(const ModelSource& source,
                                     Diagnostics& diagnostics) {
  if (absl::StripAsciiWhitespace(source.method).empty()) return {};
  constexpr size_t kMostLetters = 1000;
  const std::vector<std::string> names = source.method.size() > kMostLetters
                                             ? std::vector<std::string>()
                                             : NamesIn(source.method);
  if (names.empty() || names.size() > kMostMethods) {
    diagnostics.FieldError(
        "E_METHOD", kField,
        absl::StrCat("the text is too long: at most ", kMostMethods,
                     " methods are tried, of ", kMostLetters, " bytes"));
    return {};
  }
  std::vector<std::string> methods;
  for (const std::string& name : names) {
    std::string method = Canonical(name, diagnostics);
    if (!method.empty()) methods.push_back(std::move(method));
  }
  return methods;
}

SolverOptions ReadMethodOptions(const ModelSource& source,
                                const std::vector<std::string>& methods,
                                const std::vector<ModelVariable>& states,
                                Diagnostics& diagnostics) {
  SolverOptions options;
  const bool chosen = absl::StripAsciiWhitespace(source.method).empty();
  if (methods.empty() && !chosen) return options;  // that is reported
  const std::vector<std::string> names = NamesIn(source.method);
  if (!chosen && methods.size() != names.size()) return options;
  const auto any = [&names](const auto& is) {
    return std::any_of(names.begin(), names.end(), is);
  };
  // Of several solvers, all must be Brian's to have its defaults.
  const bool as_gsl =
      any([](const std::string& name) {
        return absl::StartsWith(name, "gsl");
      }) &&
      !any([](const std::string& name) { return Contains(kSolvers, name); });
  // Far below what a state is in SI units, be it a current of picoamperes: what
  // counts is the relative error.
  double absolute_error = 1e-15;
  if (as_gsl) {
    options.relative_error = 0;
    absolute_error = 1e-6;
    options.max_steps = 100;
  }
  options.absolute_errors.assign(states.size(), absolute_error);
  const auto has = [&](std::string_view method) {
    return std::find(methods.begin(), methods.end(), method) != methods.end();
  };
  const bool solves =
      std::any_of(std::begin(kSolvers), std::end(kSolvers), has);
  const std::string whose =
      methods.empty()
          ? "a method that is chosen"
          : absl::StrCat("the method ", Quoted(absl::StrJoin(methods, ", ")));
  // Those of single variables hold, whatever comes first.
  std::vector<NamedText> ordered = source.method_options;
  std::stable_partition(ordered.begin(), ordered.end(),
                        [](const NamedText& option) {
                          return option.name != "absolute_error_per_variable";
                        });
  std::set<std::string> given;
  for (const NamedText& option : ordered) {
    if (!given.insert(option.name).second) {
      diagnostics.FieldError(
          "E_OPTION",
          absl::StrCat("model.method_options.", ShownName(option.name)),
          absl::StrCat("the option ", Quoted(option.name), " is given twice"),
          "give it once");
      continue;
    }
    // Of Brian's symbolic solver; there is nothing to simplify here.
    if (has("exact") && option.name == "simplify") continue;
    if (solves && ReadSolverOption(option, states, options, diagnostics)) {
      continue;
    }
    diagnostics.FieldError(
        "E_OPTION",
        absl::StrCat("model.method_options.", ShownName(option.name)),
        absl::StrCat(whose, " has no option ", Quoted(option.name)),
        solves ? "known: relative_error, absolute_error, "
                 "absolute_error_per_variable, max_steps, adaptable_timestep, "
                 "use_last_timestep"
               : "remove it");
  }
  return options;
}

MethodChoice ReadMethodChoice(const ModelSource& source,
                              Diagnostics& diagnostics) {
  if (source.method_choice == "brian") {
    // Nothing is chosen where methods are named.
    return absl::StripAsciiWhitespace(source.method).empty()
               ? MethodChoice::kBrian
               : MethodChoice::kBest;
  }
  if (!source.method_choice.empty() && source.method_choice != "best") {
    diagnostics.FieldError(
        "E_OPTION", "model.method_choice",
        absl::StrCat("there is no choice ", Quoted(source.method_choice)),
        "give best or brian");
  }
  return MethodChoice::kBest;
}

}  // namespace somafit
