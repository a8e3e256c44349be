#pragma once

#include <map>
#include <optional>
#include <string>
#include <utility>

#include "worker/core/lang/diagnostic.h"
#include "worker/core/units/dimension.h"

namespace somafit {

// A number with a dimension, in SI.
struct Quantity {
  double value = 0;
  Dimension dimension;
};

// Evaluates text such as "20000*umetre**2" or "10*mV": numbers, units, pi, e,
// inf, the names in `constants`, arithmetic and the functions that the language
// has here. nullopt after an error, which is reported.
std::optional<Quantity> EvaluateQuantity(
    const Source& source, const std::map<std::string, Quantity>& constants,
    Diagnostics& diagnostics);

// The same without constants, and checks the dimension.
std::optional<double> EvaluateQuantityOf(const Source& source,
                                         const Dimension& dimension,
                                         Diagnostics& diagnostics);

// "[low, high]": two quantities of `dimension`, finite, low < high.
std::optional<std::pair<double, double>> EvaluateBounds(
    const Source& source, const Dimension& dimension, Diagnostics& diagnostics);

// "volt**2" for {volt}: text that EvaluateQuantity reads back as one unit of
// the dimension.
std::string UnitExpression(const Dimension& dimension);

}  // namespace somafit
