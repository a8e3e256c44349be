#include "server/inference/estimator_spec.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <set>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "worker/core/base/check.h"
#include "worker/core/base/number.h"

namespace somafit {
namespace {

constexpr std::array<std::string_view, 3> kZScoreWords = {"none", "independent",
                                                          "structured"};
constexpr std::array<std::string_view, 2> kThetaSpaceWords = {"bounded",
                                                              "unconstrained"};

// The place of the option's text among `words`; `otherwise` where it is not
// given or wrong.
template <typename Enum, size_t n>
Enum ReadWord(const std::vector<NamedText>& given, std::string_view name,
              const std::array<std::string_view, n>& words, Enum otherwise,
              Diagnostics& diagnostics) {
  for (const NamedText& option : given) {
    if (option.name != name) continue;
    const std::string word = absl::AsciiStrToLower(
        std::string(absl::StripAsciiWhitespace(option.text)));
    const auto found = std::find(words.begin(), words.end(), word);
    if (found != words.end()) return static_cast<Enum>(found - words.begin());
    std::vector<std::string> known(words.begin(), words.end());
    diagnostics.FieldError(
        "E_OPTION", absl::StrCat("estimator.", std::string(name)),
        absl::StrCat(std::string(name), " cannot be ", Quoted(option.text)),
        absl::StrCat("Write one of ", absl::StrJoin(known, ", "), "."));
  }
  return otherwise;
}

// "" where it is allowed.
std::string OptionMistake(const OptionSpec& option, double value) {
  const std::string name(option.name);
  if (!(value >= option.minimum && value <= option.maximum)) {
    return absl::StrCat(name, " = ", ShortestText(value), " is not within ",
                        ShortestText(option.minimum), " and ",
                        ShortestText(option.maximum));
  }
  if (option.kind == OptionSpec::Kind::kInteger && value != std::floor(value)) {
    return absl::StrCat(name, " = ", ShortestText(value), " is no integer");
  }
  return "";
}

void CheckOptions(const EstimatorSpec& spec, const NetEntry& entry,
                  std::vector<std::string>& mistakes) {
  std::set<std::string> known;
  for (const OptionSpec& option : entry.options) {
    if (option.kind == OptionSpec::Kind::kText) continue;
    const std::string name(option.name);
    known.insert(name);
    const auto found = spec.options.find(name);
    if (found == spec.options.end()) {
      mistakes.push_back(absl::StrCat(name, " is missing"));
    } else if (auto mistake = OptionMistake(option, found->second);
               !mistake.empty()) {
      mistakes.push_back(std::move(mistake));
    }
  }
  for (const auto& [name, value] : spec.options) {
    if (known.count(name) == 0) {
      mistakes.push_back(absl::StrCat("unknown option ", Quoted(name)));
    }
  }
}

void CheckShapes(const EstimatorSpec& spec,
                 std::vector<std::string>& mistakes) {
  if (spec.support.empty() || spec.support.size() > kMaxParameters) {
    mistakes.push_back(absl::StrCat("there are ", spec.support.size(),
                                    " parameters, not 1 to ", kMaxParameters));
  }
  for (size_t i = 0; i < spec.support.size(); ++i) {
    if (!(spec.support[i].lower < spec.support[i].upper)) {
      mistakes.push_back(absl::StrCat("parameter ", i, " has lower bound ",
                                      ShortestText(spec.support[i].lower),
                                      " and upper bound ",
                                      ShortestText(spec.support[i].upper)));
    }
  }
  int64_t product = 1;
  bool too_large = spec.x_shape.empty() || spec.x_shape.size() > 4;
  for (const int64_t axis : spec.x_shape) {
    too_large = too_large || axis < 1 ||
                axis > static_cast<int64_t>(kMaxFeatures) / product;
    if (too_large) break;
    product *= axis;
  }
  if (too_large) {
    mistakes.push_back(absl::StrCat(
        "x has the shape [", absl::StrJoin(spec.x_shape, " x "),
        "], not 1 to 4 axes of at most ", kMaxFeatures, " numbers together"));
  }
}

}  // namespace

EmbeddingSpec DefaultTraceEmbedding() {
  return {.layers = {{.size = 50}, {.size = 20}}, .torch_script = ""};
}

size_t EstimatorSpec::n_features() const {
  size_t product = 1;
  for (const int64_t axis : x_shape) product *= static_cast<size_t>(axis);
  return product;
}

std::optional<EstimatorSpec> ReadEstimatorSpec(
    std::string_view net, const std::vector<NamedText>& given,
    Diagnostics& diagnostics) {
  const NetEntry* const entry = FindNet(net);
  if (entry == nullptr) {
    std::vector<std::string> names;
    for (const NetEntry* known : AllNets()) names.emplace_back(known->name);
    diagnostics.FieldError(
        "E_ESTIMATOR", "estimator.net",
        absl::StrCat("unknown estimator ", Quoted(std::string(net))),
        absl::StrCat("Known are: ", absl::StrJoin(names, ", "), "."));
    return std::nullopt;
  }
  Diagnostics found;
  EstimatorSpec spec;
  spec.net = entry->name;
  spec.options =
      ReadOptions(given, entry->options, "estimator", kNoDimension, found);
  for (const OptionSpec& option : entry->options) {
    if (option.kind == OptionSpec::Kind::kText) {
      spec.options.erase(std::string(option.name));
    }
  }
  spec.z_score_theta =
      ReadWord(given, "z_score_theta", kZScoreWords, spec.z_score_theta, found);
  spec.z_score_x =
      ReadWord(given, "z_score_x", kZScoreWords, spec.z_score_x, found);
  spec.theta_space =
      ReadWord(given, "theta_space", kThetaSpaceWords, spec.theta_space, found);
  diagnostics.Append(found);
  if (found.HasErrors()) return std::nullopt;
  return spec;
}

EstimatorSpec DefaultEstimatorSpec(std::string_view net) {
  Diagnostics diagnostics;
  auto spec = ReadEstimatorSpec(net, {}, diagnostics);
  SOMAFIT_CHECK(spec.has_value());
  return *std::move(spec);
}

absl::Status CheckEstimatorSpec(const EstimatorSpec& spec) {
  std::vector<std::string> mistakes;
  const NetEntry* const entry = FindNet(spec.net);
  if (entry == nullptr) {
    mistakes.push_back(absl::StrCat("unknown estimator ", Quoted(spec.net)));
  } else {
    CheckOptions(spec, *entry, mistakes);
  }
  if (spec.z_score_theta > ZScore::kStructured ||
      spec.z_score_x > ZScore::kStructured ||
      spec.theta_space > ThetaSpace::kUnconstrained) {
    mistakes.push_back("unknown z-score or space of theta");
  }
  CheckShapes(spec, mistakes);
  if (mistakes.empty()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("estimator: ", absl::StrJoin(mistakes, "; ")));
}

}  // namespace somafit
