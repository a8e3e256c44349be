#include "worker/core/units/unit.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <unordered_map>

#include "absl/strings/str_cat.h"

#include "worker/core/base/number.h"

namespace somafit {
namespace {

// A row of the language's table 2.2.
struct BaseUnit {
  std::string_view name;
  int scale;  // power of ten
  Dimension dimension;
  // The name of DefinitionUnitNames for the dimension.
  std::string_view definition_name;
  bool prefixes = true;
  bool powers = true;
};

constexpr Dimension kMetre{{1, 0, 0, 0, 0, 0, 0}};
constexpr Dimension kKilogram{{0, 1, 0, 0, 0, 0, 0}};
constexpr Dimension kAmp{{0, 0, 0, 1, 0, 0, 0}};
constexpr Dimension kKelvin{{0, 0, 0, 0, 1, 0, 0}};
constexpr Dimension kMole{{0, 0, 0, 0, 0, 1, 0}};
constexpr Dimension kCandle{{0, 0, 0, 0, 0, 0, 1}};
constexpr Dimension kMolar{{-3, 0, 0, 0, 0, 1, 0}};
constexpr Dimension kHertz{{0, 0, -1, 0, 0, 0, 0}};
constexpr Dimension kNewton{{1, 1, -2, 0, 0, 0, 0}};
constexpr Dimension kPascal{{-1, 1, -2, 0, 0, 0, 0}};
constexpr Dimension kJoule{{2, 1, -2, 0, 0, 0, 0}};
constexpr Dimension kWatt{{2, 1, -3, 0, 0, 0, 0}};
constexpr Dimension kCoulomb{{0, 0, 1, 1, 0, 0, 0}};
constexpr Dimension kVolt{{2, 1, -3, -1, 0, 0, 0}};
constexpr Dimension kFarad{{-2, -1, 4, 2, 0, 0, 0}};
constexpr Dimension kOhm{{2, 1, -3, -2, 0, 0, 0}};
constexpr Dimension kSiemens{{-2, -1, 3, 2, 0, 0, 0}};
constexpr Dimension kWeber{{2, 1, -2, -1, 0, 0, 0}};
constexpr Dimension kTesla{{0, 1, -2, -1, 0, 0, 0}};
constexpr Dimension kHenry{{2, 1, -2, -2, 0, 0, 0}};
constexpr Dimension kLux{{-2, 0, 0, 0, 0, 0, 1}};
constexpr Dimension kGray{{2, 0, -2, 0, 0, 0, 0}};
constexpr Dimension kKatal{{0, 0, -1, 0, 0, 1, 0}};
constexpr Dimension kVolume{{3, 0, 0, 0, 0, 0, 0}};

constexpr BaseUnit kBaseUnits[] = {
    {"metre", 0, kMetre, "metre"},
    {"meter", 0, kMetre, "metre"},
    {"kilogram", 0, kKilogram, "kilogram", false},
    {"kilogramme", 0, kKilogram, "kilogram", false},
    {"gram", -3, kKilogram, "kilogram"},
    {"gramme", -3, kKilogram, "kilogram"},
    {"second", 0, kTimeDimension, "second"},
    {"amp", 0, kAmp, "amp"},
    {"ampere", 0, kAmp, "amp"},
    {"kelvin", 0, kKelvin, "kelvin", false},
    {"mole", 0, kMole, "mole"},
    {"mol", 0, kMole, "mole"},
    {"molar", 3, kMolar, "mmolar"},
    {"candle", 0, kCandle, "candle"},
    {"radian", 0, kNoDimension, "radian"},
    {"steradian", 0, kNoDimension, "steradian"},
    {"hertz", 0, kHertz, "hertz"},
    {"becquerel", 0, kHertz, "becquerel"},
    {"newton", 0, kNewton, "newton"},
    {"pascal", 0, kPascal, "pascal"},
    {"joule", 0, kJoule, "joule"},
    {"watt", 0, kWatt, "watt"},
    {"coulomb", 0, kCoulomb, "coulomb"},
    {"volt", 0, kVolt, "volt"},
    {"farad", 0, kFarad, "farad"},
    {"ohm", 0, kOhm, "ohm"},
    {"siemens", 0, kSiemens, "siemens"},
    {"weber", 0, kWeber, "weber"},
    {"tesla", 0, kTesla, "tesla"},
    {"henry", 0, kHenry, "henry"},
    {"lumen", 0, kCandle, "lumen"},
    {"lux", 0, kLux, "lux"},
    {"gray", 0, kGray, "gray"},
    {"sievert", 0, kGray, "sievert"},
    {"katal", 0, kKatal, "katal"},
    {"liter", -3, kVolume, "kliter", true, false},
    {"litre", -3, kVolume, "klitre", true, false},
};

struct Prefix {
  std::string_view name;
  int exponent;
  bool reserved = true;  // its units are names that models may not define
};

constexpr Prefix kPrefixes[] = {
    {"", 0},         {"y", -24},       {"z", -21},       {"a", -18},
    {"f", -15},      {"p", -12},       {"n", -9},        {"u", -6},
    {"m", -3},       {"c", -2, false}, {"d", -1, false}, {"da", 1, false},
    {"h", 2, false}, {"k", 3},         {"M", 6},         {"G", 9},
    {"T", 12},       {"P", 15},        {"E", 18},        {"Z", 21},
    {"Y", 24},
};

struct ShortName {
  std::string_view name, unit;
  bool reserved = true;
};

constexpr ShortName kShortNames[] = {
    {"mV", "mvolt"},
    {"mA", "mamp"},
    {"uA", "uamp"},
    {"nA", "namp"},
    {"pA", "pamp"},
    {"pF", "pfarad"},
    {"uF", "ufarad"},
    {"nF", "nfarad"},
    {"nS", "nsiemens"},
    {"uS", "usiemens"},
    {"mS", "msiemens", false},
    {"ms", "msecond"},
    {"us", "usecond"},
    {"Hz", "hertz"},
    {"kHz", "khertz"},
    {"MHz", "Mhertz"},
    {"cm", "cmetre"},
    {"cm2", "cmetre2"},
    {"cm3", "cmetre3"},
    {"mm", "mmetre"},
    {"mm2", "mmetre2"},
    {"mm3", "mmetre3"},
    {"um", "umetre"},
    {"um2", "umetre2"},
    {"um3", "umetre3"},
    {"mM", "mmolar"},
    {"uM", "umolar"},
    {"nM", "nmolar"},
};

// The double nearest to 10^exponent, which products of powers may miss.
double PowerOfTen(int exponent) {
  std::array<char, 8> text;
  text[0] = '1';
  text[1] = 'e';
  const auto end = std::to_chars(text.begin() + 2, text.end(), exponent).ptr;
  double value = 1;
  std::from_chars(text.begin(), end, value);
  return value;
}

struct KnownUnit {
  Unit unit;
  std::string definition_unit;  // see DefinitionUnitFor
  bool reserved = false;
};

using UnitTable = std::unordered_map<std::string, KnownUnit>;

UnitTable MakeUnitTable() {
  UnitTable table;
  for (const BaseUnit& base : kBaseUnits) {
    for (const Prefix& prefix : kPrefixes) {
      if (!base.prefixes && !prefix.name.empty()) continue;
      for (int power = 1; power <= (base.powers ? 3 : 1); ++power) {
        KnownUnit known;
        known.unit.name = std::string(prefix.name).append(base.name);
        known.definition_unit = std::string(base.definition_name);
        if (power > 1) {
          absl::StrAppend(&known.unit.name, power);
          absl::StrAppend(&known.definition_unit, " ** ", power);
        }
        known.unit.dimension = base.dimension.Power(power);
        known.unit.scale = PowerOfTen((prefix.exponent + base.scale) * power);
        known.reserved = prefix.reserved;
        const std::string name = known.unit.name;
        table.emplace(name, std::move(known));
      }
    }
  }
  for (const ShortName& short_name : kShortNames) {
    KnownUnit known = table.at(std::string(short_name.unit));
    known.unit.name = std::string(short_name.name);
    known.reserved = short_name.reserved;
    table.emplace(known.unit.name, std::move(known));
  }
  return table;
}

const UnitTable& Units() {
  static const UnitTable* const table = new UnitTable(MakeUnitTable());
  return *table;
}

const KnownUnit* FindKnown(std::string_view name) {
  const auto found = Units().find(std::string(name));
  return found == Units().end() ? nullptr : &found->second;
}

// A unit that people read dimensions in; those that they read most come first.
struct NamedUnit {
  std::string_view name, symbol;
  Dimension dimension;
  int least_prefix = -24, greatest_prefix = 24;
};

constexpr NamedUnit kNamedUnits[] = {
    {"volt", "V", kVolt},
    {"amp", "A", kAmp},
    {"siemens", "S", kSiemens},
    {"farad", "F", kFarad},
    {"ohm", "ohm", kOhm},
    {"coulomb", "C", kCoulomb},
    {"metre", "m", kMetre},
    {"second", "s", kTimeDimension, -24, 0},
    {"kilogram", "kg", kKilogram, 0, 0},
    {"kelvin", "K", kKelvin, 0, 0},
    {"mole", "mol", kMole},
    {"candle", "cd", kCandle},
    {"hertz", "Hz", kHertz},
    {"newton", "N", kNewton},
    {"pascal", "Pa", kPascal},
    {"joule", "J", kJoule},
    {"watt", "W", kWatt},
    {"weber", "Wb", kWeber},
    {"tesla", "T", kTesla},
    {"henry", "H", kHenry},
    {"lux", "lx", kLux},
    {"gray", "Gy", kGray},
    {"katal", "kat", kKatal},
};

struct Symbol {
  std::string_view name, symbol;
};
constexpr Symbol kExponentNames[] = {
    {"metre", "m"},  {"kilogram", "kg"}, {"second", "s"}, {"amp", "A"},
    {"kelvin", "K"}, {"mole", "mol"},    {"candle", "cd"}};

// top^power / bottom^bottom_power
struct Quotient {
  const NamedUnit* top;
  double power = 1;
  const NamedUnit* bottom = nullptr;
  double bottom_power = 1;
};

std::optional<Quotient> FindQuotient(const Dimension& dimension) {
  if (dimension.IsNone()) return std::nullopt;
  for (const double power : {1.0, 2.0, 3.0, -1.0, -2.0, 0.5}) {
    for (const NamedUnit& unit : kNamedUnits) {
      if (unit.dimension.Power(power) == dimension) {
        return Quotient{&unit, power};
      }
    }
  }
  for (const NamedUnit& top : kNamedUnits) {
    for (const NamedUnit& bottom : kNamedUnits) {
      if (bottom.name != "second" && bottom.name != "metre") continue;
      for (const double power : {1.0, 2.0, 3.0}) {
        if (top.dimension / bottom.dimension.Power(power) == dimension) {
          return Quotient{&top, 1, &bottom, power};
        }
      }
    }
  }
  return std::nullopt;
}

std::string PowerText(std::string_view name, double power,
                      std::string_view mark) {
  if (power == 1) return std::string(name);
  return std::string(name).append(mark).append(ShortestText(power));
}

std::string QuotientText(const Quotient& quotient, std::string_view mark) {
  std::string text = PowerText(quotient.top->name, quotient.power, mark);
  if (quotient.bottom != nullptr) {
    absl::StrAppend(
        &text, "/",
        PowerText(quotient.bottom->name, quotient.bottom_power, mark));
  }
  return text;
}

int CountBases(const Dimension& dimension) {
  return static_cast<int>(
      std::count_if(dimension.exponents().begin(), dimension.exponents().end(),
                    [](double exponent) { return exponent != 0; }));
}

}  // namespace

std::optional<Unit> FindUnit(std::string_view name) {
  const KnownUnit* known = FindKnown(name);
  if (known == nullptr) return std::nullopt;
  return known->unit;
}

const std::vector<std::string>& DefinitionUnitNames() {
  static const auto* const names = new std::vector<std::string>{
      "metre",  "meter",  "kilogram",  "kilogramme", "kgram",   "kgramme",
      "second", "amp",    "ampere",    "kelvin",     "mole",    "mol",
      "candle", "radian", "steradian", "hertz",      "Hz",      "becquerel",
      "newton", "pascal", "joule",     "watt",       "coulomb", "volt",
      "farad",  "ohm",    "siemens",   "weber",      "tesla",   "henry",
      "lumen",  "lux",    "gray",      "sievert",    "katal",   "mmolar",
      "mM",     "kliter", "klitre"};
  return *names;
}

const std::vector<std::string>& CommonUnitNames() {
  static const auto* const names = [] {
    auto* result = new std::vector<std::string>;
    for (const ShortName& unit : kShortNames) result->emplace_back(unit.name);
    for (const BaseUnit& unit : kBaseUnits) result->emplace_back(unit.name);
    return result;
  }();
  return *names;
}

const std::vector<std::string>& AllUnitNames() {
  static const auto* const names = [] {
    auto* result = new std::vector<std::string>(CommonUnitNames());
    const size_t n_common = result->size();
    for (const auto& [name, known] : Units()) result->push_back(name);
    // Suggestions must not depend on the order of a hash table.
    std::sort(result->begin() + n_common, result->end());
    return result;
  }();
  return *names;
}

std::string DefinitionUnitFor(std::string_view name) {
  const KnownUnit* known = FindKnown(name);
  return known == nullptr ? "" : known->definition_unit;
}

bool IsReservedUnitName(std::string_view name) {
  const KnownUnit* known = FindKnown(name);
  return known != nullptr && known->reserved;
}

std::string ReadableDimension(const Dimension& dimension) {
  if (dimension.IsNone()) return "1";
  const std::optional<Quotient> quotient = FindQuotient(dimension);
  // A power of one base reads best in its symbol: "m^2", "s^-0.5".
  if (quotient && (quotient->power == 1 || CountBases(dimension) > 1)) {
    return QuotientText(*quotient, "^");
  }
  std::string text;
  for (size_t i = 0; i < dimension.exponents().size(); ++i) {
    const double exponent = dimension.exponents()[i];
    if (exponent == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : " ",
                    PowerText(kExponentNames[i].symbol, exponent, "^"));
  }
  return text;
}

std::string UnitFormula(const Dimension& dimension) {
  if (dimension.IsNone()) return "1";
  const std::optional<Quotient> quotient = FindQuotient(dimension);
  if (quotient && (quotient->power == 1 || CountBases(dimension) > 1)) {
    return QuotientText(*quotient, "**");
  }
  std::string text;
  for (size_t i = 0; i < dimension.exponents().size(); ++i) {
    const double exponent = dimension.exponents()[i];
    if (exponent == 0) continue;
    absl::StrAppend(&text, text.empty() ? "" : "*",
                    PowerText(kExponentNames[i].name, exponent, "**"));
  }
  return text;
}

Unit DisplayUnit(const Dimension& dimension, double magnitude) {
  if (dimension.IsNone()) return Unit{"", dimension, 1};
  const std::optional<Quotient> quotient = FindQuotient(dimension);
  if (!quotient) return Unit{ReadableDimension(dimension), dimension, 1};

  const NamedUnit& top = *quotient->top;
  const double size = magnitude < 0 ? -magnitude : magnitude;
  const int power = static_cast<int>(quotient->power);
  const bool scalable = power == quotient->power && size > 0 &&
                        size <= std::numeric_limits<double>::max();
  std::string_view prefix_name;
  double scale = 1;
  if (scalable) {
    // The least number from 1 on; where there is none, the greatest below.
    constexpr double kOne = 1 - 1e-12;
    double best = size;
    for (const Prefix& prefix : kPrefixes) {
      if (prefix.exponent % 3 != 0 || prefix.exponent < top.least_prefix ||
          prefix.exponent > top.greatest_prefix) {
        continue;
      }
      const double candidate = PowerOfTen(prefix.exponent * power);
      const double number = size / candidate;
      const bool better =
          best < kOne ? number > best : number >= kOne && number < best;
      if (!better) continue;
      best = number;
      scale = candidate;
      prefix_name = prefix.name;
    }
  }
  std::string name = PowerText(std::string(prefix_name).append(top.symbol),
                               quotient->power, "^");
  if (quotient->bottom != nullptr) {
    absl::StrAppend(
        &name, "/",
        PowerText(quotient->bottom->symbol, quotient->bottom_power, "^"));
  }
  return Unit{std::move(name), dimension, scale};
}

}  // namespace somafit
