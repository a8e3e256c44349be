#include "client/lib/outline.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/yaml_spec.h"
#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OutlineTest : public testing::Test {
 protected:
  v1::ExperimentOutline Outline(const std::string& yaml) {
    const auto document = ParseYaml(yaml, "fit.yaml");
    EXPECT_TRUE(document.ok()) << document.status();
    const auto spec = FitSpecFromYaml(*document);
    EXPECT_TRUE(spec.ok()) << spec.status();
    return OutlineOf(*spec, folder_.path());
  }
  const ScratchFolder folder_;
};

TEST_F(OutlineTest, HasTheShapeOfTheRecordingsWhateverTheirUnits) {
  folder_.Write("i.csv", "1,2,3\n4,5,6\n");
  const v1::ExperimentOutline outline = Outline(
      "dt: 1*volts\nmodel: {equations: 'dv/dt = I : 1', method: m}\n"
      "parameters: {g: [1, 2]}\nmetrics: {v: mse}\n"
      "data: {inputs: {I: {file: i.csv, unit: nAA}},\n"
      "       outputs: {v: {file: i.csv}}}\n");
  EXPECT_EQ(outline.model().method(), "m");
  EXPECT_EQ(outline.inputs(0).name(), "I");
  EXPECT_EQ(outline.inputs(0).unit(), "nAA");
  EXPECT_EQ(outline.outputs(0).unit(), "");
  EXPECT_EQ(outline.dt(), "1*volts");
  EXPECT_EQ(outline.parameters(0).bounds(), "[1, 2]");
  EXPECT_EQ(outline.metrics(0).metric(), "mse");
  EXPECT_THAT(outline.trace_steps(), ElementsAre(3, 3));
  EXPECT_EQ(outline.recordings_problem(), "");
}

TEST_F(OutlineTest, SaysWhyRecordingsAreNotRead) {
  folder_.Write("i.csv", "1,2,3\n");
  const v1::ExperimentOutline outline = Outline(
      "data: {inputs: {I: {file: i.csv, unit: nA}},\n"
      "       outputs: {v: {file: \"\\xB5.csv\", unit: mV}}}\n");
  EXPECT_EQ(outline.trace_steps_size(), 0);
  EXPECT_THAT(outline.recordings_problem(), HasSubstr("No such file"));
  for (const char c : outline.recordings_problem()) EXPECT_LE(c, '~');
  EXPECT_THAT(Outline("dataset: datasets/0").recordings_problem(),
              HasSubstr("a stored dataset"));
}

TEST_F(OutlineTest, RecordingsThatAreNotNamedAreNoProblem) {
  const v1::ExperimentOutline outline =
      Outline("data: {inputs: {I: {unit: nA}}}\n");
  EXPECT_EQ(outline.inputs_size(), 1);
  EXPECT_EQ(outline.trace_steps_size(), 0);
  EXPECT_EQ(outline.recordings_problem(), "");
}

}  // namespace
}  // namespace somafit
