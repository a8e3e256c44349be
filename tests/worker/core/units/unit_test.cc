#include "worker/core/units/unit.h"

#include <gtest/gtest.h>

namespace somafit {
namespace {

Dimension DimensionOf(const std::string& unit) {
  const auto found = FindUnit(unit);
  EXPECT_TRUE(found.has_value()) << unit;
  return found ? found->dimension : kNoDimension;
}

TEST(UnitTest, FindsNamesWithExactScales) {
  struct Row {
    std::string name;
    std::string same_as;
    double scale;
  };
  const Row rows[] = {
      {"volt", "volt", 1},
      {"mV", "volt", 1e-3},
      {"nS", "siemens", 1e-9},
      {"psiemens", "siemens", 1e-12},
      {"mS", "siemens", 1e-3},
      {"umetre2", "metre2", 1e-12},
      {"um2", "metre2", 1e-12},
      {"cm2", "metre2", 1e-4},
      {"cmetre", "metre", 1e-2},
      {"dametre", "metre", 10},
      {"msiemens3", "siemens3", 1e-9},
      {"second2", "second2", 1},
      {"gram", "kilogram", 1e-3},
      {"kgram", "kilogram", 1},
      {"kgram2", "kilogram2", 1},
      {"liter", "metre3", 1e-3},
      {"mliter", "metre3", 1e-6},
      {"mM", "mmolar", 1},
      {"molar", "mmolar", 1e3},
      {"kHz", "hertz", 1e3},
      {"becquerel", "hertz", 1},
      {"ampere", "amp", 1},
      {"Yvolt3", "volt3", 1e72},
      {"mmole", "mol", 1e-3},
  };
  for (const Row& row : rows) {
    const auto unit = FindUnit(row.name);
    ASSERT_TRUE(unit.has_value()) << row.name;
    EXPECT_EQ(unit->scale, row.scale) << row.name;
    EXPECT_EQ(unit->dimension, DimensionOf(row.same_as)) << row.name;
  }
}

TEST(UnitTest, KnowsNoOtherNames) {
  for (const char* name :
       {"V",    "A",     "S",      "F",       "s",       "m",         "M",
        "kV",   "fA",    "pS",     "fF",      "GHz",     "MOhm",      "mm4",
        "min",  "hour",  "degC",   "celsius", "mkelvin", "mkilogram", "liter2",
        "Volt", "volt1", "mvolt4", "",        "2"}) {
    EXPECT_FALSE(FindUnit(name).has_value()) << name;
  }
}

TEST(UnitTest, DimensionsFitTogether) {
  EXPECT_EQ(DimensionOf("volt"), DimensionOf("amp") * DimensionOf("ohm"));
  EXPECT_EQ(DimensionOf("farad") * DimensionOf("volt"), DimensionOf("coulomb"));
  EXPECT_TRUE((DimensionOf("siemens") * DimensionOf("ohm")).IsNone());
  EXPECT_EQ(DimensionOf("watt"), DimensionOf("volt") * DimensionOf("amp"));
  EXPECT_EQ(DimensionOf("tesla"), DimensionOf("weber") / DimensionOf("metre2"));
  EXPECT_EQ(DimensionOf("henry"), DimensionOf("weber") / DimensionOf("amp"));
  EXPECT_EQ(DimensionOf("gray"),
            DimensionOf("joule") / DimensionOf("kilogram"));
  EXPECT_TRUE(DimensionOf("radian").IsNone());
}

TEST(UnitTest, DefinitionNamesHaveScaleOne) {
  for (const std::string& name : DefinitionUnitNames()) {
    const auto unit = FindUnit(name);
    ASSERT_TRUE(unit.has_value()) << name;
    EXPECT_EQ(unit->scale, 1) << name;
  }
}

TEST(UnitTest, NamesDefinitionUnitOfScaledOnes) {
  EXPECT_EQ(DefinitionUnitFor("mV"), "volt");
  EXPECT_EQ(DefinitionUnitFor("nS"), "siemens");
  EXPECT_EQ(DefinitionUnitFor("metre2"), "metre ** 2");
  EXPECT_EQ(DefinitionUnitFor("um2"), "metre ** 2");
  EXPECT_EQ(DefinitionUnitFor("gram"), "kilogram");
  EXPECT_EQ(DefinitionUnitFor("molar"), "mmolar");
  EXPECT_EQ(DefinitionUnitFor("voltage"), "");
}

TEST(UnitTest, ReservesOnlyTheOriginalNames) {
  for (const char* name : {"mV", "ms", "mol", "lux", "henry", "cm", "uM",
                           "msiemens", "mvolt2", "second2", "volt"}) {
    EXPECT_TRUE(IsReservedUnitName(name)) << name;
  }
  for (const char* name :
       {"mS", "cmetre", "dvolt", "hsecond", "daamp", "m", "V", "E", "tau"}) {
    EXPECT_FALSE(IsReservedUnitName(name)) << name;
  }
}

TEST(UnitTest, WritesDimensionsForPeopleAndForTheLanguage) {
  struct Row {
    Dimension dimension;
    std::string readable, formula;
  };
  const Dimension volt = DimensionOf("volt");
  const Row rows[] = {
      {kNoDimension, "1", "1"},
      {volt, "volt", "volt"},
      {DimensionOf("becquerel"), "hertz", "hertz"},
      {DimensionOf("sievert"), "gray", "gray"},
      {DimensionOf("lumen"), "candle", "candle"},
      {volt * volt, "volt^2", "volt**2"},
      {volt.Power(0.5), "volt^0.5", "volt**0.5"},
      {volt / kTimeDimension, "volt/second", "volt/second"},
      {DimensionOf("siemens") / DimensionOf("metre2"), "siemens/metre^2",
       "siemens/metre**2"},
      {DimensionOf("metre2"), "m^2", "metre**2"},
      {kTimeDimension.Power(-0.5), "s^-0.5", "second**-0.5"},
      {Dimension({2, 1, -5, 0, 0.5, 0, 0}), "m^2 kg s^-5 K^0.5",
       "metre**2*kilogram*second**-5*kelvin**0.5"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(ReadableDimension(row.dimension), row.readable);
    EXPECT_EQ(UnitFormula(row.dimension), row.formula);
  }
}

TEST(UnitTest, DisplaysNumbersFromOneToThousand) {
  struct Row {
    std::string unit;
    double magnitude;
    std::string name;
    double scale;
  };
  const Row rows[] = {
      {"siemens", 1e-8, "nS", 1e-9}, {"volt", -0.063, "mV", 1e-3},
      {"siemens", 2e-5, "uS", 1e-6}, {"farad", 200e-12, "pF", 1e-12},
      {"volt2", 1e-6, "mV^2", 1e-6}, {"volt2", 9.95e-7, "uV^2", 1e-12},
      {"volt2", 1e-3, "mV^2", 1e-6}, {"volt", 0, "V", 1},
      {"second", 0.01, "ms", 1e-3},  {"second", 1e5, "s", 1},
      {"hertz", 2000, "kHz", 1e3},   {"kelvin", 1e-3, "K", 1},
      {"kilogram", 1e-3, "kg", 1},   {"volt", 1, "V", 1},
      {"volt", 1000, "kV", 1e3},     {"volt", 1e-40, "yV", 1e-24},
      {"volt", 1e300, "YV", 1e24},   {"amp", 1e-9, "nA", 1e-9},
  };
  for (const Row& row : rows) {
    const Unit unit = DisplayUnit(DimensionOf(row.unit), row.magnitude);
    EXPECT_EQ(unit.name, row.name) << row.unit << " " << row.magnitude;
    EXPECT_EQ(unit.scale, row.scale) << row.unit << " " << row.magnitude;
  }
  EXPECT_EQ(DisplayUnit(kNoDimension, 0.01).name, "");
  EXPECT_EQ(DisplayUnit(kNoDimension, 0.01).scale, 1);
  EXPECT_EQ(DisplayUnit(DimensionOf("volt") / kTimeDimension, 0.063).name,
            "mV/s");
}

}  // namespace
}  // namespace somafit
