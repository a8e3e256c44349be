// What `somafit check` and the text stages of `somafit compile` print, for
// models in tests/golden/describe and the example: one golden file a stage.
//   UPDATE_GOLDEN=1 ctest --preset release -L golden

#include "tests/support/golden.h"

#include <filesystem>

#include <gtest/gtest.h>

#include "client/lib/outline.h"
#include "client/lib/yaml_spec.h"
#include "proto/convert/experiment_outline.h"
#include "worker/describe/check_text.h"
#include "worker/describe/dump.h"

namespace somafit {
namespace {

struct GoldenModel {
  const char* name;
  const char* file;
};

constexpr GoldenModel kModels[] = {
    {"hodgkin_huxley", "client/examples/hodgkin_huxley/fit.yaml"},
    {"leaky_integrator", "tests/golden/describe/leaky_integrator.yaml"},
    {"sodium_gate", "tests/golden/describe/sodium_gate.yaml"},
    {"stiff_oscillator", "tests/golden/describe/stiff_oscillator.yaml"},
    {"subexpression_chain", "tests/golden/describe/subexpression_chain.yaml"},
    {"two_compartments", "tests/golden/describe/two_compartments.yaml"},
};

class DescribeGoldenTest : public testing::TestWithParam<GoldenModel> {
 protected:
  // As it is when it has come through a pipe.
  ExperimentOutline Outline() const {
    const std::string file = GetParam().file;
    const auto spec = ReadFitSpec(file, {});
    EXPECT_TRUE(spec.ok()) << spec.status();
    const auto json = EncodeOutline(
        OutlineOf(*spec, std::filesystem::path(file).parent_path().string()));
    EXPECT_TRUE(json.ok()) << json.status();
    const auto outline = DecodeOutline(*json);
    EXPECT_TRUE(outline.ok()) << outline.status();
    return *outline;
  }

  void ExpectStage(const std::string& stage, const std::string& text) const {
    ExpectGolden(std::string("describe/") + GetParam().name + "." + stage,
                 text);
  }
};

TEST_P(DescribeGoldenTest, PrintsEachStage) {
  for (const char* const stage : {"ast", "program", "passes"}) {
    Diagnostics warnings;
    const auto text = DumpText(Outline(), *ReadDump(stage), {}, warnings);
    ASSERT_TRUE(text.ok()) << text.status();
    ExpectStage(stage, *text);
  }
}

TEST_P(DescribeGoldenTest, PrintsTheTable) {
  Diagnostics found;
  const auto compiled = CompileOutline(Outline(), found);
  ASSERT_TRUE(compiled.has_value()) << found.Render();
  ExpectStage("check", CheckText(*compiled, found));
}

std::string NameOf(const testing::TestParamInfo<GoldenModel>& model) {
  return model.param.name;
}

INSTANTIATE_TEST_SUITE_P(, DescribeGoldenTest, testing::ValuesIn(kModels),
                         NameOf);

}  // namespace
}  // namespace somafit
