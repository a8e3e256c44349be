#include "server/inference/estimator_spec.h"

#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "server/inference/base_noise.h"
#include "server/inference/device.h"

namespace somafit {
namespace {

TEST(NetCatalogueTest, HasUniqueNamesAndValidDefaults) {
  std::set<std::string_view> names;
  for (const NetEntry* entry : AllNets()) {
    EXPECT_TRUE(names.insert(entry->name).second) << entry->name;
    EstimatorSpec spec = DefaultEstimatorSpec(entry->name);
    spec.support = {{0, 1}};
    spec.x_shape = {3, 4};
    EXPECT_TRUE(CheckEstimatorSpec(spec).ok()) << CheckEstimatorSpec(spec);
    EXPECT_EQ(spec.n_features(), 12u);
  }
  EXPECT_EQ(FindNet("none"), nullptr);
}

TEST(EstimatorSpecTest, ReadsOptions) {
  Diagnostics diagnostics;
  const auto spec = ReadEstimatorSpec("nsf",
                                      {{"hidden_features", "20"},
                                       {"tail_bound", "5"},
                                       {"z_score_x", "Structured"},
                                       {"z_score_theta", "none"},
                                       {"theta_space", "unconstrained"}},
                                      diagnostics);
  ASSERT_TRUE(spec.has_value()) << diagnostics.Render();
  EXPECT_EQ(spec->options, (OptionValues{{"hidden_features", 20},
                                         {"num_bins", 10},
                                         {"num_blocks", 2},
                                         {"num_transforms", 5},
                                         {"tail_bound", 5}}));
  EXPECT_EQ(spec->z_score_x, ZScore::kStructured);
  EXPECT_EQ(spec->z_score_theta, ZScore::kNone);
  EXPECT_EQ(spec->theta_space, ThetaSpace::kUnconstrained);
}

TEST(EstimatorSpecTest, RefusesWhatItDoesNotKnow) {
  const std::pair<const char*, NamedText> mistakes[] = {
      {"maf", {"num_bins", "10"}},         {"maf", {"hidden_features", "0"}},
      {"maf", {"hidden_features", "2.5"}}, {"mdn", {"num_components", "many"}},
      {"nsf", {"theta_space", "flat"}},    {"flow", {"num_blocks", "2"}}};
  for (const auto& [net, option] : mistakes) {
    Diagnostics diagnostics;
    EXPECT_FALSE(ReadEstimatorSpec(net, {option}, diagnostics).has_value());
    EXPECT_TRUE(diagnostics.HasErrors());
    EXPECT_EQ(diagnostics.all()[0].field.rfind("estimator.", 0), 0u);
  }
}

TEST(EstimatorSpecTest, SaysAllThatIsWrong) {
  EstimatorSpec spec = DefaultEstimatorSpec("maf");
  spec.options["num_transforms"] = 1e9;
  spec.options["more"] = 1;
  spec.support = {{0, 1}, {2, 2}};
  spec.x_shape = {1 << 20, 1 << 20};
  const absl::Status status = CheckEstimatorSpec(spec);
  for (const char* part : {"num_transforms", "more", "parameter 1", "shape"}) {
    EXPECT_NE(status.message().find(part), std::string::npos) << part;
  }
}

TEST(BaseNoiseTest, IsNormalAndUniform) {
  constexpr int kDraws = 50'000;
  double mean = 0, squares = 0, product = 0, fourth = 0, uniform = 0;
  for (int k = 0; k < kDraws; ++k) {
    float normals[3], uniforms[1];
    FillBaseNoise({7, 9}, k, normals, uniforms);
    mean += (normals[0] + normals[1] + normals[2]) / 3 / kDraws;
    squares += normals[2] * normals[2] / kDraws;
    product += normals[0] * normals[1] / kDraws;
    fourth += std::pow(normals[1], 4) / kDraws;
    uniform += uniforms[0] / kDraws;
  }
  // Five standard errors each.
  EXPECT_NEAR(mean, 0, 5 * std::sqrt(1.0 / 3 / kDraws));
  EXPECT_NEAR(squares, 1, 5 * std::sqrt(2.0 / kDraws));
  EXPECT_NEAR(product, 0, 5 * std::sqrt(1.0 / kDraws));
  EXPECT_NEAR(fourth, 3, 5 * std::sqrt(96.0 / kDraws));
  EXPECT_NEAR(uniform, 0.5, 5 * std::sqrt(1.0 / 12 / kDraws));
}

TEST(DeviceTest, ResolvesNames) {
  EXPECT_EQ(*ResolveDevice("cpu"), "cpu");
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveDevice("cuda:x").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveDevice("cuda:-1").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(ResolveDevice("").status()));
  const auto gpu = ResolveDevice("gpu");
  EXPECT_TRUE(gpu.ok() || absl::IsFailedPrecondition(gpu.status()));
  EXPECT_TRUE(absl::IsFailedPrecondition(ResolveDevice("cuda:99").status()));
}

TEST(DeviceTest, MeasuresItsMatrixProducts) {
  EXPECT_GT(MeasureMatrixSpeed(), 0.1);
}

}  // namespace
}  // namespace somafit
