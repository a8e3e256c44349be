#include "client/lib/draws.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

Draws Two() {
  Draws draws;
  draws.parameters.resize(2);
  draws.parameters[0].set_name("gl");
  draws.parameters[0].set_si_unit("siemens");
  draws.parameters[0].set_display_unit("nS");
  draws.parameters[0].set_display_scale(1e-9);
  draws.parameters[1].set_name("k");
  draws.parameters[1].set_si_unit("m^2 kg");  // none of the language
  draws.theta = {1e-9, 1, 2e-9, 3, 3e-9, 5};
  draws.log_density = {-1, -2, -3};
  return draws;
}

std::string Written(const Draws& draws, DrawFormat format) {
  std::string text;
  WriteDraws(draws, format, [&](absl::string_view piece) {
    text.append(piece.data(), piece.size());
  });
  return text;
}

TEST(DrawsTest, CsvReadsBackAsPoints) {
  EXPECT_EQ(Written(Two(), DrawFormat::kCsv),
            "gl [siemens],k,log_density\n1e-09,1,-1\n2e-09,3,-2\n3e-09,5,-3\n");
  Draws plain = Two();
  plain.log_density.clear();
  EXPECT_THAT(Written(plain, DrawFormat::kCsv),
              testing::StartsWith("gl [siemens],k\n1e-09,1\n"));
}

TEST(DrawsTest, ArraysOfNumPy) {
  const std::string npy = Written(Two(), DrawFormat::kNpy);
  EXPECT_THAT(npy, testing::HasSubstr("'shape': (3, 2)"));
  EXPECT_EQ(npy.size() % 64, 48u);  // six numbers behind the header
  const std::string npz = Written(Two(), DrawFormat::kNpz);
  EXPECT_THAT(npz, testing::HasSubstr("theta.npy"));
  EXPECT_THAT(npz, testing::HasSubstr("log_density.npy"));
}

TEST(DrawsTest, SummaryHasUnits) {
  EXPECT_EQ(SummaryTable(Two()),
            "parameter  mean  sd  2.5 %  50 %  97.5 %  unit\n"
            "gl            2   1   1.05     2    2.95    nS\n"
            "k             3   2    1.1     3     4.9\n");
}

TEST(DrawsTest, FormatsByTheirEnding) {
  EXPECT_EQ(*DrawFormatOf("-"), DrawFormat::kCsv);
  EXPECT_EQ(*DrawFormatOf("a.npz"), DrawFormat::kNpz);
  EXPECT_THAT(std::string(DrawFormatOf("a.txt").status().message()),
              testing::HasSubstr("ends in .csv, .npy or .npz"));
}

}  // namespace
}  // namespace somafit
