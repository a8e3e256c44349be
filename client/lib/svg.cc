#include "client/lib/svg.h"

#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include "client/lib/display.h"

namespace somafit {

std::string SvgText(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}});
}

std::string SvgNumber(double value) {
  return absl::StrFormat("%.6g", std::round(value * 100) / 100);
}

std::string AxisLabel(const v1::Variable& variable) {
  const std::string unit = DisplayUnitText(variable);
  return unit.empty() ? variable.name()
                      : absl::StrCat(variable.name(), " [", unit, "]");
}

std::string SvgBegin(double width, double height, absl::string_view title,
                     double left) {
  return absl::StrCat(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"", SvgNumber(width),
      "\" height=\"", SvgNumber(height), "\" viewBox=\"0 0 ", SvgNumber(width),
      " ", SvgNumber(height),
      "\" font-family=\"sans-serif\" font-size=\"12\">\n", "<title>",
      SvgText(title), "</title>\n",
      "<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n", "<text x=\"",
      SvgNumber(left), "\" y=\"20\" font-size=\"14\">", SvgText(title),
      "</text>\n");
}

}  // namespace somafit
