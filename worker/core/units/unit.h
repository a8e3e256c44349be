#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "worker/core/units/dimension.h"

namespace somafit {

// A named unit: one of it is `scale` in SI.
struct Unit {
  std::string name;
  Dimension dimension;
  double scale = 1;
};

// Looks up a unit name of the language (section 2.2-2.4 of its contract): base
// names, all prefixes, squares and cubes, short names. Case sensitive.
std::optional<Unit> FindUnit(std::string_view name);

// Names that the unit text after a definition's colon may use: scale 1 only.
const std::vector<std::string>& DefinitionUnitNames();
// Every name that FindUnit knows without guessing prefixes, for suggestions.
const std::vector<std::string>& CommonUnitNames();
// Whether a model may not define a variable of this name because it is a unit
// (language, section 6.1: narrower than what FindUnit knows).
bool IsReservedUnitName(std::string_view name);

// The unit of DefinitionUnitNames (or a power of one) that has the dimension of
// a known unit: "volt" for mV, "metre ** 2" for um2; "" for an unknown name.
std::string DefinitionUnitFor(std::string_view name);
// Every name that FindUnit knows, prefixed ones too.
const std::vector<std::string>& AllUnitNames();

// For people: "volt", "hertz", "volt^2", "siemens/metre^2", or else the product
// form "m^2 kg s^-3"; "1" for none.
std::string ReadableDimension(const Dimension& dimension);

// The same in the language: "volt", "volt**2", "metre**2*kilogram*second**-3",
// "1"; reads back as the dimension with scale 1.
std::string UnitFormula(const Dimension& dimension);

// A unit to show values of about `magnitude` (SI) in: the short or prefixed
// name of the dimension's unit for which the number lies in [1, 1000) where one
// exists; squares of such units too ("mV^2"). Its `name` is for people.
Unit DisplayUnit(const Dimension& dimension, double magnitude);

}  // namespace somafit
