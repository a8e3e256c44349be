#pragma once

#include <string>

#include "absl/strings/string_view.h"

#include "somafit/v1/fit.pb.h"

namespace somafit {

// What pictures in SVG are made of.

// As text between tags or in an attribute.
std::string SvgText(absl::string_view text);
// A coordinate, with two decimals at most.
std::string SvgNumber(double value);
// "g_na [uS]".
std::string AxisLabel(const v1::Variable& variable);
// The document's begin, white, with a title; what is behind it ends in
// "</svg>".
std::string SvgBegin(double width, double height, absl::string_view title,
                     double left);

}  // namespace somafit
