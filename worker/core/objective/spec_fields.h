#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "worker/core/data/fit_spec.h"
#include "worker/core/objective/metric.h"

namespace somafit {

// For the .cc files of this folder alone: what messages about terms and
// features say.

// A text as messages show it.
inline std::string Shown(std::string_view text) {
  return absl::StrCat("\"", absl::CHexEscape(std::string(text.substr(0, 80))),
                      "\"");
}

// The field that a term's mistakes are reported under.
inline std::string FieldOf(const MetricSpec& spec) {
  return absl::StrCat("metrics.", spec.output.substr(0, 80));
}

// nullptr: it is not given.
inline const std::string* FindOption(const MetricSpec& spec,
                                     std::string_view name) {
  for (const NamedText& option : spec.options) {
    if (option.name == name) return &option.text;
  }
  return nullptr;
}

inline bool IsExpression(const MetricSpec& spec) {
  const MetricEntry* const entry = FindMetric(spec.metric);
  return entry != nullptr && entry->family == MetricFamily::kExpression;
}

// Of a term or a feature.
inline constexpr size_t kLongestName = 60;

inline bool IsIdentifier(std::string_view name) {
  if (name.empty() || name.size() > kLongestName ||
      absl::ascii_isdigit(name[0])) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '_';
  });
}

}  // namespace somafit
