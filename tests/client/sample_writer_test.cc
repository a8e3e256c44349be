#include "client/lib/sample_writer.h"

#include <string>

#include <gmock/gmock.h>
#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

class SampleWriterTest : public testing::Test {
 protected:
  SampleWriterTest() {
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          name: 'fits/a'
          parameters {
            name: 'gl'
            si_unit: 'siemens'
            display_unit: 'nS'
            display_scale: 1e-9
          }
          outputs {
            name: 'v'
            si_unit: 'volt'
            display_unit: 'mV'
            display_scale: 1e-3
          }
          total_error {
            si_unit: 'volt^2'
            display_unit: 'mV^2'
            display_scale: 1e-6
          }
        )pb",
        &fit_);
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          sample: [ 0, 1, 2 ]
          stage: [ 0, 0, 0 ]
          round: [ 0, 0, 1 ]
          status: [
            SAMPLE_STATUS_OK,
            SAMPLE_STATUS_NONFINITE,
            SAMPLE_STATUS_OK
          ]
          parameters: [ 1.132001753695881e-07, 2e-9, 0.1 ]
          total_error: [ 0.00023112503428419085, nan, 1e-6 ]
          output_error: [ 0.00023112503428419085, nan, 1e-6 ]
          output_error_normalized: [ 231, nan, 1 ]
        )pb",
        &block_);
  }

  std::string Written(SampleFormat format, bool units,
                      bool trace_errors = false) {
    std::string text;
    SampleWriter writer(
        format, units, fit_,
        [&](absl::string_view piece) {
          text.append(piece.data(), piece.size());
        },
        trace_errors);
    writer.Begin();
    status_ = writer.Add(block_);
    writer.End();
    return text;
  }

  v1::Fit fit_;
  v1::SampleBlock block_;
  absl::Status status_;
};

TEST_F(SampleWriterTest, CsvIsExactSi) {
  EXPECT_EQ(Written(SampleFormat::kCsv, true),
            "sample,stage,round,status,gl,total_error,v_error\n"
            "0,0,0,ok,1.132001753695881e-07,0.00023112503428419085,"
            "0.00023112503428419085\n"
            "1,0,0,nonfinite,2e-09,,\n"
            "2,0,1,ok,0.1,1e-06,1e-06\n");
}

TEST_F(SampleWriterTest, TableHasUnitsAndTheBest) {
  const std::string text = Written(SampleFormat::kTable, true);
  EXPECT_EQ(text,
            " sample stage  round    status    gl [nS]  total_error [mV^2]  "
            "v_error [mV^2]\n"
            "      0     0      0        ok        113                 231  "
            "           231\n"
            "      1     0      0 nonfinite          2                   -  "
            "             -\n"
            "      2     0      1        ok      1e+08                   1  "
            "             1\n"
            "best: sample 2, error 1 mV^2, gl = 1e+08 nS\n");
  EXPECT_THAT(Written(SampleFormat::kTable, false),
              testing::HasSubstr("best: sample 2, error 1e-06, gl = 0.1\n"));
}

TEST_F(SampleWriterTest, Json) {
  block_.Clear();
  EXPECT_EQ(Written(SampleFormat::kJson, false),
            "{\"fit\": \"fits/a\",\n \"samples\": [\n ]\n}\n");
  EXPECT_EQ(Written(SampleFormat::kTable, false).substr(0, 7), " sample");
}

TEST_F(SampleWriterTest, JsonHasSiUnits) {
  const std::string text = Written(SampleFormat::kJson, true);
  EXPECT_THAT(text, testing::HasSubstr(
                        "\"units\": {\"gl\": \"siemens\", \"total_error\": "
                        "\"volt^2\", \"v_error\": \"volt^2\"}"));
  EXPECT_THAT(
      text, testing::HasSubstr("{\"sample\": 1, \"stage\": 0, \"round\": 0, "
                               "\"status\": \"nonfinite\", \"gl\": 2e-09, "
                               "\"total_error\": null, \"v_error\": null},\n"));
}

TEST_F(SampleWriterTest, ShowsWhatElseThereIs) {
  v1::MetricSpec* const metric = fit_.mutable_spec()->add_metrics();
  metric->set_output("v");
  metric->set_metric("mse");
  v1::NamedText* const option = metric->add_options();
  option->set_name("normalization");
  option->set_text("1*mV");
  fit_.mutable_spec()->set_penalty("toll");
  EXPECT_EQ(Written(SampleFormat::kCsv, true),
            "sample,stage,round,status,gl,total_error,v_error,"
            "v_error_normalized,penalty\n");
  EXPECT_FALSE(status_.ok());  // the block has no penalties
  for (const double penalty : {0.5, 1.0, 2.0}) block_.add_penalty(penalty);
  for (int i = 0; i < 6; ++i) block_.add_trace_error(i);
  EXPECT_EQ(
      Written(SampleFormat::kCsv, true, true),
      "sample,stage,round,status,gl,total_error,v_error,v_error_normalized,"
      "penalty,v_error_trace_0,v_error_trace_1\n"
      "0,0,0,ok,1.132001753695881e-07,0.00023112503428419085,"
      "0.00023112503428419085,231,0.5,0,1\n"
      "1,0,0,nonfinite,2e-09,,,,1,2,3\n"
      "2,0,1,ok,0.1,1e-06,1e-06,1,2,4,5\n");
  block_.add_trace_error(7);
  Written(SampleFormat::kCsv, true, true);
  EXPECT_FALSE(status_.ok());
}

TEST_F(SampleWriterTest, NamesEachColumnOnce) {
  fit_.mutable_parameters(0)->set_name("Status");
  fit_.add_parameters()->set_name("v_error");
  block_.Clear();
  EXPECT_EQ(Written(SampleFormat::kCsv, true),
            "sample,stage,round,status,Status_,v_error,total_error,v_error_\n");
}

TEST_F(SampleWriterTest, RefusesColumnsThatDoNotMatch) {
  block_.mutable_parameters()->RemoveLast();
  Written(SampleFormat::kCsv, true);
  EXPECT_EQ(status_.code(), absl::StatusCode::kInternal);
}

}  // namespace
}  // namespace somafit
