#include <random>

#include <gtest/gtest.h>

#include "tests/worker/core/lang/hodgkin_huxley.h"
#include "worker/core/lang/parser.h"

namespace somafit {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr int kRuns = 2'000;  // Each takes some ms there.
#else
constexpr int kRuns = 20'000;
#endif

// Mutates bytes, pieces and lines of `text`.
std::string Mutate(std::string text, std::mt19937& random) {
  const std::string_view pieces[] = {
      ":",    "=",  "(",  ")", "\n", "**",         "/dt",  "d",
      " : 1", "1e", "0x", "_", "#",  "\xC2",       "and ", "not ",
      "<",    "//", "%",  ",", "mV", "(constant)", "\r",   "."};
  for (int n = 1 + random() % 4; n > 0; --n) {
    const size_t at = text.empty() ? 0 : random() % text.size();
    switch (random() % 5) {
      case 0:
        if (!text.empty()) text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, 1 + random() % 8);
        break;
      case 2:
        text.insert(at, pieces[random() % std::size(pieces)]);
        break;
      case 3:
        text.insert(at, text.substr(random() % (text.size() + 1), 40));
        break;
      default:
        text.resize(at);
        break;
    }
    if (text.size() > 4000) text.resize(4000);
  }
  return text;
}

TEST(RobustnessTest, MutatedModelsAreReadOrRefused) {
  std::mt19937 random(7);
  int refused = 0;
  for (int run = 0; run < kRuns; ++run) {
    ModelSource source = HodgkinHuxleySource();
    source.equations = Mutate(source.equations, random);
    if (run % 4 == 0) {
      source.constants[random() % source.constants.size()].text =
          Mutate("1*ufarad*cm**-2*area", random);
      source.initial_values[0].text = Mutate("El + 2*mV", random);
    }
    Diagnostics diagnostics;
    const auto model = CompileModel(source, HodgkinHuxleyInputs(),
                                    HodgkinHuxleyOutputs(), diagnostics);
    // Nothing is refused without a word, nor accepted with an error.
    ASSERT_EQ(model.has_value(), !diagnostics.HasErrors())
        << source.equations << diagnostics.Render();
    if (!model) ++refused;
    for (const char c : diagnostics.Render()) {
      ASSERT_TRUE(c == '\n' || (c >= ' ' && c <= '~'));
    }
    if (model) PrintModel(*model);
  }
  // Mutations must bite, and some must not.
  EXPECT_GT(refused, kRuns / 2);
  EXPECT_LT(refused, kRuns);
}

TEST(RobustnessTest, MutatedEventsAreReadOrRefused) {
  std::mt19937 random(8);
  int refused = 0;
  for (int run = 0; run < kRuns; ++run) {
    ModelSource source;
    source.equations =
        "dv/dt = (a(t) - v)/ms + xi*Hz**0.5 : 1 (unless refractory)\n"
        "w : 1\nn : integer\nb : boolean\ns : 1 (shared)";
    source.threshold = "v > 1 + rand() and not b";
    source.reset = "v = 0; q = v*w\nn += 1 # spikes\nw *= 1 + q";
    source.refractory = "(1 + rand())*ms";
    source.periodic = {{"s = 2*t/ms\nb = lastspike < 1*ms", "end", "2*ms"}};
    source.timed_arrays = {{"a", "1", "1*ms", {1, 2, 3}, 0}};
    source.initial_values = {{"w", "randn()*i/N"}};
    switch (run % 6) {
      case 0:
        source.threshold = Mutate(source.threshold, random);
        break;
      case 1:
        source.refractory = Mutate(source.refractory, random);
        break;
      case 2:
        source.periodic[0].code = Mutate(source.periodic[0].code, random);
        break;
      case 3:
        source.timed_arrays[0].unit = Mutate("nA", random);
        source.timed_arrays[0].dt = Mutate("1*ms", random);
        break;
      default:
        source.reset = Mutate(*source.reset, random);
    }
    Diagnostics diagnostics;
    const auto model = CompileModel(source, {}, {}, diagnostics);
    ASSERT_EQ(model.has_value(), !diagnostics.HasErrors())
        << diagnostics.Render();
    if (model) PrintModel(*model);
    if (!model) ++refused;
  }
  EXPECT_GT(refused, kRuns / 4);
  EXPECT_LT(refused, kRuns);
}

TEST(RobustnessTest, ArbitraryBytesAreReadOrRefused) {
  std::mt19937 random(11);
  for (int run = 0; run < 5000; ++run) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = static_cast<char>(random());
    Diagnostics diagnostics;
    ParseEquations({"x", text}, diagnostics);
    Diagnostics other;
    const bool valid = ParseExpression({"x", text}, other).valid();
    ASSERT_EQ(valid, !other.HasErrors());
  }
}

TEST(RobustnessTest, LargeHostileModelsEndSoon) {
  std::string unknown, mismatched, cyclic, nested;
  for (int i = 0; i < 1900; ++i) {
    const std::string n = std::to_string(i);
    unknown += "a" + n + " = zz" + n + " + yy" + n + "*xx" + n + " : 1\n";
    mismatched += "a" + n + " = 1*mV + 1*mA : 1\n";
    cyclic += "a" + n + " = a" + std::to_string((i + 1) % 1900) + " : 1\n";
  }
  std::string power = "volt";
  for (int i = 0; i < 190; ++i) power = "(" + power + ")**9";
  for (const std::string& text :
       {unknown, mismatched, cyclic, "x = " + power + " : 1",
        std::string(260'000, 'x') + " : 1", std::string(260'000, '\n'),
        "x = " + std::string(260'000, '(')}) {
    ModelSource source;
    source.equations = text;
    Diagnostics diagnostics;
    CompileModel(source, {}, {}, diagnostics);
    EXPECT_LE(diagnostics.all().size(), kMaxDiagnostics + 1);
  }
}

}  // namespace
}  // namespace somafit
