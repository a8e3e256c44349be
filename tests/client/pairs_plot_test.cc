#include "client/lib/pairs_plot.h"

#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;

std::vector<v1::Variable> Variables() {
  std::vector<v1::Variable> variables(2);
  variables[0].set_name("gl");
  variables[0].set_display_unit("nS");
  variables[0].set_display_scale(1e-9);
  variables[1].set_name("a<b");
  return variables;
}

size_t CountOf(const std::string& text, const std::string& part) {
  size_t n = 0;
  for (size_t at = text.find(part); at != std::string::npos;
       at = text.find(part, at + 1)) {
    ++n;
  }
  return n;
}

TEST(PairsPlotTest, TicksAreRoundNumbers) {
  EXPECT_THAT(TicksOf({0, 10}), ElementsAre(0, 5, 10));
  EXPECT_THAT(TicksOf({-0.5, 1.5}), ElementsAre(-0.5, 0, 0.5, 1, 1.5));
  for (const double size : {1e-12, 0.3, 7.0, 4e9}) {
    const size_t n = TicksOf({0.1 * size, 1.3 * size}).size();
    EXPECT_GE(n, 2u) << size;
    EXPECT_LE(n, 5u) << size;
  }
}

TEST(PairsPlotTest, DrawsOfTwoParameters) {
  const std::vector<double> draws = {1e-9, 1,    2e-9, 2,   3e-9,
                                     2,    4e-9, 3,    NAN, 1};
  PairsPlot plot =
      PlotOfDraws(Variables(), draws, LimitsOfDraws(2, draws, {{5e-9, 0}}));
  EXPECT_EQ(plot.pairs.size(), 1u);
  EXPECT_DOUBLE_EQ(plot.axes[0].limits.upper, 5.4e-9);
  double total = 0;
  for (const double cell : plot.pairs[0].cells) total += cell;
  EXPECT_EQ(total, 4);
  plot.points = {{2.5e-9, 2}};
  plot.title = "a & b";
  const std::string svg = SvgOf(plot);
  EXPECT_THAT(svg, testing::StartsWith("<svg xmlns="));
  EXPECT_THAT(svg, testing::EndsWith("</svg>\n"));
  EXPECT_THAT(svg, HasSubstr("<title>a &amp; b</title>"));
  EXPECT_THAT(svg, HasSubstr(">gl [nS]</text>"));
  EXPECT_THAT(svg, HasSubstr(">a&lt;b</text>"));
  EXPECT_THAT(svg, Not(HasSubstr("a<b")));
  EXPECT_THAT(svg, Not(HasSubstr("nan")));
  EXPECT_EQ(CountOf(svg, "<g id="), 3u);
  EXPECT_EQ(CountOf(svg, "</g>"), 3u);
  // The point: a line in each diagonal panel, a mark for the pair.
  EXPECT_EQ(CountOf(svg, "<line class=\"point\""), 2u);
  EXPECT_EQ(CountOf(svg, "<circle class=\"point\""), 1u);
  EXPECT_EQ(CountOf(svg, "class=\"contour\""), 2u);
  plot.masses.clear();
  plot.show_cells = false;
  EXPECT_THAT(SvgOf(plot), Not(HasSubstr("contour")));
}

TEST(PairsPlotTest, ConditionalDensities) {
  v1::PosteriorAnswer answer;
  ASSERT_TRUE(google::protobuf::TextFormat::ParseFromString(
      R"pb(singles: [ 0, 1, 1, 0.5 ]
           pairs: [ 1, 2, 3, 4 ]
           lower: [ 0, 0 ]
           upper: [ 1e-8, 4 ])pb",
      &answer));
  ASSERT_TRUE(CheckConditional(2, answer).ok());
  const PairsPlot plot = PlotOfConditional(Variables(), answer);
  // On the wire the second parameter is in rows; here the first one is.
  EXPECT_THAT(plot.pairs[0].cells, ElementsAre(1, 3, 2, 4));
  EXPECT_THAT(plot.diagonal[1].x, ElementsAre(0, 4));
  EXPECT_THAT(plot.diagonal[1].y, ElementsAre(1, 0.5));
  EXPECT_THAT(SvgOf(plot), HasSubstr("gl [nS]"));
  answer.add_pairs(1);
  EXPECT_FALSE(CheckConditional(2, answer).ok());
  EXPECT_FALSE(CheckConditional(3, answer).ok());
  EXPECT_FALSE(CheckConditional(0, answer).ok());
}

}  // namespace
}  // namespace somafit
