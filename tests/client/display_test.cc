#include "client/lib/display.h"

#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include <google/protobuf/text_format.h>
#include <gtest/gtest.h>

#include "client/lib/client.h"

namespace somafit {
namespace {

TEST(DisplayTest, NumbersForPeople) {
  const std::vector<std::pair<double, std::string>> cases = {
      {0, "0"},
      {22.6808, "22.7"},
      {0.0123456, "0.0123"},
      {1234.5, "1234"},
      {999999, "999999"},
      {1.5e7, "1.5e+07"},
      {4.527e-6, "4.53e-06"},
      {-65, "-65"},
      {-12345, "-12345"},
      {std::nan(""), "-"},
      {std::numeric_limits<double>::infinity(), "inf"},
  };
  for (const auto& [value, text] : cases) EXPECT_EQ(NumberText(value), text);
}

TEST(DisplayTest, QuantitiesInDisplayUnits) {
  v1::Variable variable;
  variable.set_display_unit("nS");
  variable.set_display_scale(1e-9);
  EXPECT_EQ(QuantityText(2.3699e-8, variable), "23.7 nS");
  variable.set_display_unit("1");
  variable.set_display_scale(1);
  EXPECT_EQ(QuantityText(0.25, variable), "0.25");
  // A peer's nonsense does not become ours.
  variable.set_display_scale(0);
  EXPECT_EQ(QuantityText(0.25, variable), "0.25");
}

TEST(DisplayTest, Durations) {
  EXPECT_EQ(DurationText(1.25), "1.2 s");
  EXPECT_EQ(DurationText(304), "5:04 min");
  EXPECT_EQ(DurationText(3904), "1:05:04 h");
  EXPECT_EQ(DurationText(-1), "0.0 s");
  EXPECT_EQ(DurationText(std::nan("")), "0.0 s");
}

class EventTest : public testing::Test {
 protected:
  EventTest() {
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          name: 'fits/hh-1'
          parameters { name: 'g_na' display_unit: 'uS' display_scale: 1e-6 }
          parameters { name: 'gl' display_unit: 'nS' display_scale: 1e-9 }
          outputs {
            name: 'v'
            si_unit: 'volt'
            display_unit: 'mV'
            display_scale: 1e-3
          }
          total_error { display_unit: 'mV^2' display_scale: 1e-6 }
        )pb",
        &fit_);
    google::protobuf::TextFormat::ParseFromString(
        R"pb(
          seq: 4
          time_us: 17
          round {
            round: 3
            best_sample: 284
            best_parameters: [ 2.268e-5, 2.37e-8 ]
            best_error: 4.527e-6
            samples {
              sample: [ 398, 399 ]
              parameters: [ 1, 2, 3, 4 ]
              total_error: [ 0.5, nan ]
              output_error: [ 0.25, nan ]
            }
          }
        )pb",
        &event_);
  }
  v1::Fit fit_;
  v1::FitEvent event_;
};

TEST_F(EventTest, ARoundAsALine) {
  EXPECT_EQ(RoundText(fit_, event_.round()),
            "Round 3: best error 4.53 mV^2 (sample 284)  g_na = 22.7 uS, gl = "
            "23.7 nS   400 samples");
  event_.mutable_round()->set_best_sample(-1);
  event_.mutable_round()->set_gated(true);
  EXPECT_EQ(RoundText(fit_, event_.round()),
            "Round 3: no sample has an error yet   400 samples   waits for: "
            "somafit ack hh-1 --continue or --stop");
}

TEST_F(EventTest, ARoundAsJson) {
  EXPECT_EQ(EventJson(fit_, event_),
            "{\"seq\": 4, \"time_us\": 17, \"stage\": 0, \"round\": 3, "
            "\"gated\": false, \"best_sample\": 284, \"best_error\": 4.527e-06,"
            " \"best_parameters\": {\"g_na\": 2.268e-05, \"gl\": 2.37e-08}, "
            "\"samples\": [398, 399], \"parameters\": {\"g_na\": [1, 3], "
            "\"gl\": [2, 4]}, \"total_error\": [0.5, null], "
            "\"output_errors\": {\"v\": [0.25, null]}}");
}

TEST_F(EventTest, ARoundOfAnInference) {
  fit_.mutable_spec()->mutable_inference()->mutable_estimator()->set_name(
      "mdn");
  EXPECT_EQ(InferenceText(fit_.spec().inference()), "tsnpe, mdn");
  v1::RoundEvent* const round = event_.mutable_round();
  round->set_best_sample(-1);
  google::protobuf::TextFormat::ParseFromString(
      R"pb(
        training_loss: [ 1, 0.5 ]
        validation_loss: [ 1.5, -2.3149 ]
        best_validation_loss: -2.3149
        converged: true
        estimator: 'mdn'
        simulations: 960
        invalid: 3
        effective_samples: 811.6
        inside_prior: 0.975
        messages: 'loss fell until the end'
      )pb",
      round->mutable_training());
  EXPECT_EQ(RoundText(fit_, *round),
            "Round 3: validation loss -2.31 nats after 2 epochs, 960 "
            "simulations (3 more invalid), 812 effective, 97.5 % inside the "
            "prior   400 samples\n  loss fell until the end");
  const std::string json = EventJson(fit_, event_);
  EXPECT_NE(json.find("\"training\": {\"estimator\": \"mdn\", \"epochs\": 2, "
                      "\"best_validation_loss\": -2.3149"),
            std::string::npos)
      << json;
  EXPECT_NE(json.find("\"validation_loss\": [1.5, -2.3149]"),
            std::string::npos);
  EXPECT_EQ(json.find("total_error"), std::string::npos);
  EXPECT_EQ(json.substr(json.size() - 2), "}}");
  EXPECT_EQ(StateSentence(v1::FIT_STATE_SUCCEEDED, "ROUNDS", "inference"),
            "The inference succeeded (ROUNDS).");
}

TEST_F(EventTest, UnitsOfAnOutputsOwnError) {
  EXPECT_EQ(OutputErrorVariable(fit_, 0).display_unit(), "mV^2");
  EXPECT_DOUBLE_EQ(OutputErrorVariable(fit_, 0).display_scale(), 1e-6);
  v1::MetricSpec* metric = fit_.mutable_spec()->add_metrics();
  metric->set_output("v");
  metric->set_metric("another");
  EXPECT_EQ(OutputErrorVariable(fit_, 0).display_unit(), "");
}

TEST(DisplayTest, JsonTexts) {
  EXPECT_EQ(JsonText("a\"b\\c\n"), "\"a\\\"b\\\\c\\u000a\"");
  EXPECT_EQ(JsonNumber(0.1), "0.1");
  EXPECT_EQ(JsonNumber(std::numeric_limits<double>::infinity()), "null");
}

TEST(DisplayTest, ShellWords) {
  EXPECT_EQ(ShellWord("a/b-1.db"), "a/b-1.db");
  EXPECT_EQ(ShellWord("my fits.db"), "'my fits.db'");
  EXPECT_EQ(ShellWord("it's;"), "'it'\\''s;'");
  EXPECT_EQ(ShellWord(""), "''");
}

TEST(DisplayTest, NamesOfFits) {
  EXPECT_EQ(*FitResourceName("a-1_b"), "fits/a-1_b");
  EXPECT_EQ(*FitResourceName("fits/a"), "fits/a");
  for (const char* bad :
       {"", "fits/", "A", "1a", "a b", "fits/fits/a", "a;b"}) {
    EXPECT_FALSE(FitResourceName(bad).ok()) << bad;
  }
  EXPECT_TRUE(FitResourceName(std::string(63, 'a')).ok());
  EXPECT_FALSE(FitResourceName(std::string(64, 'a')).ok());
}

}  // namespace
}  // namespace somafit
