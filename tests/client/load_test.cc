#include "client/lib/load.h"

#include <cmath>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/yaml_spec.h"
#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class LoadTest : public testing::Test {
 protected:
  absl::StatusOr<Dataset> Load(const std::string& yaml) {
    const absl::StatusOr<YamlDocument> document = ParseYaml(yaml, "fit.yaml");
    if (!document.ok()) return document.status();
    const absl::StatusOr<v1::FitSpec> spec = FitSpecFromYaml(*document);
    if (!spec.ok()) return spec.status();
    return LoadDataset(*spec, folder_.path());
  }
  std::string Message(const std::string& yaml) {
    return std::string(Load(yaml).status().message());
  }
  const ScratchFolder folder_;
};

TEST_F(LoadTest, ConvertsToSi) {
  folder_.Write("i.csv", "2,4\n6,8\n");
  folder_.Write("v.csv", "-60,nan\n-50,-40\n");
  const absl::StatusOr<Dataset> dataset = Load(
      "dt: 0.1*ms\n"
      "data: {inputs: {I: {file: i.csv, unit: nA}},\n"
      "  outputs: {v: {file: v.csv, unit: mV}},\n"
      "  trace_weights: [1, 2]}\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  ASSERT_EQ(dataset->traces.size(), 2u);
  const Trace& second = dataset->traces[1];
  EXPECT_DOUBLE_EQ(second.dt, 1e-4);
  EXPECT_EQ(second.weight, 2);
  EXPECT_THAT(second.inputs[0], ElementsAre(6 * 1e-9, 8 * 1e-9));
  EXPECT_THAT(second.targets[0], ElementsAre(-50 * 1e-3, -40 * 1e-3));
  EXPECT_TRUE(std::isnan(dataset->traces[0].targets[0][1]));
  EXPECT_EQ(dataset->inputs[0].name, "I");
  EXPECT_EQ(dataset->outputs[0].name, "v");
}

TEST_F(LoadTest, TakesTheDimensionOfAnOutputFromTheModel) {
  folder_.Write("v.csv", "-0.06,-0.05\n");
  const absl::StatusOr<Dataset> dataset = Load(
      "dt: 1*ms\nmodel: {equations: 'dv/dt = -v/ms : volt'}\n"
      "data: {outputs: {v: {file: v.csv}}}\n");
  ASSERT_TRUE(dataset.ok()) << dataset.status();
  EXPECT_THAT(dataset->traces[0].targets[0], ElementsAre(-0.06, -0.05));
  EXPECT_EQ(dataset->outputs[0].dimension,
            (Dimension{{2, 1, -3, -1, 0, 0, 0}}));
}

TEST_F(LoadTest, NamesWhatIsWrong) {
  folder_.Write("i.csv", "2,4\n6,8\n");
  folder_.Write("gap.csv", "2,4\n6,\n");
  folder_.Write("v.csv", "1,2,3.5\n4,5,6\n");
  folder_.Write("bad.csv", "1,2\n3,abc\n");
  const std::string head = "dt: 0.1*ms\ndata: ";
  EXPECT_THAT(
      Message("dt: 1*mV\ndata: {outputs: {v: {file: i.csv, unit: mV}}}"),
      HasSubstr("dt"));
  EXPECT_THAT(
      Message("dt: 0*ms\ndata: {outputs: {v: {file: i.csv, unit: mV}}}"),
      HasSubstr("must be more than 0"));
  EXPECT_THAT(Message(head + "{inputs: {I: {file: i.csv, unit: nA}}}"),
              HasSubstr("data.outputs is empty"));
  EXPECT_THAT(Message(head + "{inputs: {I: i.csv}, "
                             "outputs: {v: {file: i.csv, unit: mV}}}"),
              HasSubstr("data.inputs.I has no unit; add unit:"));
  EXPECT_THAT(Message(head + "{inputs: {I: {file: gap.csv, unit: nA}}, "
                             "outputs: {v: {file: i.csv, unit: mV}}}"),
              HasSubstr("data.inputs.I: trace 1, sample 1 (both from 0) is "
                        "nan"));
  EXPECT_THAT(Message(head + "{inputs: {I: {file: i.csv, unit: nA}}, "
                             "outputs: {v: {file: v.csv, unit: mV}}}"),
              HasSubstr("data.inputs.I has 2 traces of 2 steps, but "
                        "data.outputs.v has 2 traces of 3 steps"));
  EXPECT_THAT(Message(head + "{outputs: {v: {file: bad.csv, unit: mV}}}"),
              HasSubstr("bad.csv:2:3: \"abc\" is not a number"));
  EXPECT_THAT(Message(head + "{outputs: {v: {file: no.csv, unit: mV}}}"),
              HasSubstr("no.csv: No such file"));
  EXPECT_THAT(Message(head + "{outputs: {v: {file: i.csv, unit: furlong}}}"),
              HasSubstr("data.outputs.v.unit"));
  EXPECT_THAT(Message(head + "{outputs: {v: {file: i.csv}}}"),
              HasSubstr("the model defines no variable \"v\""));
  EXPECT_THAT(Message(head + "{outputs: {v: {unit: mV}}}"),
              HasSubstr("names no file"));
  EXPECT_THAT(
      Message(head +
              "{outputs: {v: {file: i.csv, unit: mV, layout: diagonal}}}"),
      HasSubstr("\"diagonal\" is unknown"));
  folder_.Write("column.csv", "1.5\n2\n3\n");
  EXPECT_THAT(Message(head + "{outputs: {v: {file: column.csv, unit: mV}}}"),
              HasSubstr("data.outputs.v: each trace has one sample; did you "
                        "mean layout: columns?"));
  EXPECT_THAT(Message(head + "{outputs: {v: {file: i.csv, unit: mV}}, "
                             "trace_weights: [1]}"),
              HasSubstr("1 numbers for 2 traces"));
}

}  // namespace
}  // namespace somafit
