#include "client/lib/simulation_writer.h"

#include <limits>
#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "proto/convert/evaluation.h"

namespace somafit {
namespace {

class SimulationWriterTest : public testing::Test {
 protected:
  SimulationWriterTest() {
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          name: 'fits/a'
          parameters {
            name: 'gl'
            si_unit: 'siemens'
            display_unit: 'nS'
            display_scale: 1e-9
          }
          spec {
            inference {
              features { output: 'v' feature: 'max' }
              features { output: 'spikes' feature: 'spike_count' name: 'n' }
              features { output: 'v' feature: 'max' }
            }
          }
        )pb",
        &fit_);
    // Three features, two traces each: [features x traces].
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          sample: [ 0, 1 ]
          stage: [ 0, 0 ]
          round: [ 0, 0 ]
          status: [ SAMPLE_STATUS_OK, SAMPLE_STATUS_DRAWN ]
          parameters: [ 1e-9, 2e-9 ]
          trace_error: [ 1, 2, 3, 4, 5, 6, nan, nan, nan, nan, nan, nan ]
        )pb",
        &block_);
  }

  std::string Written(SampleFormat format, bool units = true) {
    std::string text;
    SimulationWriter writer(
        format, units, fit_,
        [&](absl::string_view piece) {
          text.append(piece.data(), piece.size());
        },
        x_);
    status_ = writer.Add(block_);
    writer.End();
    return text;
  }

  v1::Fit fit_;
  v1::SampleBlock block_;
  absl::Status status_;
  XColumns x_;
};

TEST_F(SimulationWriterTest, ColumnsAreInTheOrderOfX) {
  // Output by output, trace by trace, feature by feature.
  EXPECT_EQ(Written(SampleFormat::kCsv),
            "sample,stage,round,status,gl,v_max_trace_0,v_max_2_trace_0,"
            "v_max_trace_1,v_max_2_trace_1,n_trace_0,n_trace_1\n"
            "0,0,0,ok,1e-09,1,5,2,6,3,4\n"
            "1,0,0,drawn,2e-09,,,,,,\n");
  const v1::InferenceSpec& inference = fit_.spec().inference();
  const auto names = [](const std::vector<FeatureColumn>& columns) {
    std::string text;
    for (const FeatureColumn& each : columns) {
      text += each.name + "@" + std::to_string(each.at) + " ";
    }
    return text;
  };
  EXPECT_EQ(names(FeatureColumns(inference, 1, {})),
            "v_max_trace_0@0 v_max_2_trace_0@2 n_trace_0@1 ");
  // As the posterior has them.
  EXPECT_EQ(
      names(FeatureColumns(inference, 1,
                           {"n_trace_0", "v_max_trace_0", "v_max_2_trace_0"})),
      "n_trace_0@1 v_max_trace_0@0 v_max_2_trace_0@2 ");
  EXPECT_EQ(names(FeatureColumns(inference, 1, {"a", "b", "c"})),
            "v_max_trace_0@0 v_max_2_trace_0@2 n_trace_0@1 ");
}

TEST_F(SimulationWriterTest, ArraysForOtherTools) {
  const std::string npz = Written(SampleFormat::kNpz);
  EXPECT_THAT(npz, testing::HasSubstr("theta.npy"));
  EXPECT_THAT(npz, testing::HasSubstr("x.npy"));
  // Without what is not simulated.
  EXPECT_THAT(npz, testing::HasSubstr("'shape': (1, 1)"));
  EXPECT_THAT(npz, testing::HasSubstr("'shape': (1, 6)"));
}

TEST_F(SimulationWriterTest, TableAndJson) {
  const std::string table = Written(SampleFormat::kTable);
  EXPECT_THAT(table, testing::HasSubstr("  gl [nS]  v_max_trace_0  "));
  EXPECT_THAT(table, testing::HasSubstr("      0     0      0        ok    "));
  EXPECT_THAT(Written(SampleFormat::kJson),
              testing::HasSubstr("\"gl\": 1e-09, \"v_max_trace_0\": 1, "));
  block_.Clear();
  EXPECT_THAT(Written(SampleFormat::kTable),
              testing::HasSubstr("no samples yet\n"));
  EXPECT_THAT(Written(SampleFormat::kJson), testing::EndsWith("\n ]\n}\n"));
}

TEST_F(SimulationWriterTest, RawTracesAreStepsOrArrays) {
  auto* const inference = fit_.mutable_spec()->mutable_inference();
  inference->clear_features();
  inference->add_features()->set_feature("trace");
  block_.clear_trace_error();
  const float nan = std::numeric_limits<float>::quiet_NaN();
  block_.set_raw_x(FloatBytes(std::vector<float>{1, 0.5, 3, nan, nan, nan}));
  x_ = XColumns(std::vector<TraceSegment>{
      {.name = "v", .first_step = 5, .every = 2, .count = 2},
      {.name = "v", .trace = 1, .count = 1}});
  EXPECT_EQ(Written(SampleFormat::kCsv),
            "sample,stage,round,status,gl,v[0][5],v[0][7],v[1][0]\n"
            "0,0,0,ok,1e-09,1,0.5,3\n"
            "1,0,0,drawn,2e-09,,,\n");
  EXPECT_THAT(Written(SampleFormat::kTable),
              testing::HasSubstr("x is raw traces, 3 numbers a sample"));
  const std::string npz = Written(SampleFormat::kNpz);
  EXPECT_THAT(npz, testing::HasSubstr("'<f4'"));
  EXPECT_THAT(npz, testing::HasSubstr("(1, 3)"));
  x_ = {};
  EXPECT_THAT(Written(SampleFormat::kCsv),
              testing::HasSubstr(",x[0],x[1],x[2]"));
  block_.mutable_raw_x()->pop_back();
  Written(SampleFormat::kCsv);
  EXPECT_TRUE(absl::IsInternal(status_)) << status_;
}

TEST_F(SimulationWriterTest, RefusesColumnsThatDoNotMatch) {
  block_.add_trace_error(1);
  Written(SampleFormat::kCsv);
  EXPECT_EQ(status_.code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace somafit
