#include "proto/convert/evaluation.h"

#include <cmath>
#include <limits>

#include <gtest/gtest.h>

namespace somafit {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

Evaluation Example() {
  return {.status = SampleStatus::kOk,
          .total_error = 0.1,
          .output_errors = {1, 2},
          .output_errors_normalized = {3, 4},
          .trace_errors = {1, kNan, 3, 4, 5, 6},
          .reason = ""};
}

TEST(EvaluationTest, RoundTrip) {
  for (const SampleStatus status :
       {SampleStatus::kOk, SampleStatus::kNonfinite, SampleStatus::kFailed}) {
    Evaluation evaluation = Example();
    evaluation.status = status;
    const v1::SampleResult message = ToProto(7, evaluation);
    EXPECT_EQ(message.sample(), 7);
    const auto back = FromProto(message, 2, 3);
    ASSERT_TRUE(back.ok()) << back.status();
    EXPECT_EQ(back->status, status);
    EXPECT_EQ(back->total_error, 0.1);
    EXPECT_EQ(back->output_errors, evaluation.output_errors);
    EXPECT_EQ(back->output_errors_normalized,
              evaluation.output_errors_normalized);
    EXPECT_TRUE(std::isnan(back->trace_errors[1]));
    EXPECT_EQ(back->trace_errors.size(), 6);
  }
}

TEST(EvaluationTest, StatusesRoundTrip) {
  for (int i = 0; i <= 4; ++i) {
    const auto status = static_cast<SampleStatus>(i);
    EXPECT_EQ(*FromProto(ToProto(status)), status);
  }
  EXPECT_FALSE(FromProto(v1::SAMPLE_STATUS_UNSPECIFIED).ok());
  EXPECT_FALSE(FromProto(static_cast<v1::SampleStatus>(99)).ok());
}

TEST(EvaluationTest, AFailedSampleNeedsNoNumbers) {
  v1::SampleResult message;
  message.set_status(v1::SAMPLE_STATUS_FAILED);
  const auto back = FromProto(message, 2, 3);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->output_errors.size(), 2);
  EXPECT_EQ(back->trace_errors.size(), 6);
  EXPECT_TRUE(std::isnan(back->total_error));
}

TEST(EvaluationTest, RefusesWhatIsNoResult) {
  using Change = void (*)(v1::SampleResult&);
  const Change changes[] = {
      [](v1::SampleResult& m) { m.set_status(v1::SAMPLE_STATUS_UNSPECIFIED); },
      [](v1::SampleResult& m) { m.set_status(v1::SAMPLE_STATUS_DRAWN); },
      [](v1::SampleResult& m) { m.set_status(v1::SAMPLE_STATUS_CANCELLED); },
      [](v1::SampleResult& m) {
        m.set_status(static_cast<v1::SampleStatus>(77));
      },
      [](v1::SampleResult& m) { m.set_sample(-1); },
      [](v1::SampleResult& m) { m.add_output_error(1); },
      [](v1::SampleResult& m) { m.clear_output_error_normalized(); },
      [](v1::SampleResult& m) { m.clear_trace_error(); },
      [](v1::SampleResult& m) { m.set_total_error(kNan); },
      [](v1::SampleResult& m) { m.set_total_error(1.0 / 0.0); },
  };
  for (size_t i = 0; i < std::size(changes); ++i) {
    v1::SampleResult message = ToProto(0, Example());
    ASSERT_TRUE(FromProto(message, 2, 3).ok());
    changes[i](message);
    EXPECT_TRUE(absl::IsInvalidArgument(FromProto(message, 2, 3).status()))
        << i;
  }
}

}  // namespace
}  // namespace somafit
