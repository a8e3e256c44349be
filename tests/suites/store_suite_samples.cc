#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>

#include "tests/suites/store_records.h"
#include "tests/suites/store_suite.h"

// What every store does with samples.

namespace somafit {
namespace {

using ::testing::HasSubstr;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

}  // namespace

TEST_P(StoreSuite, RecordsEachSampleOnce) {
  const FitRecord fit = ExampleFit(1, "f");
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4)});
  Commit({Results(1, {Result(1, 0.25)})});
  RecordedSample failed = Result(2, kNan);
  failed.evaluation.status = SampleStatus::kFailed;
  failed.evaluation.reason = "no \"luck\"";
  Commit({Results(1, {Result(1, 99), failed})});
  Commit({CancelledSamples{1}, Results(1, {Result(0, 99)})});
  const auto rows = store_->ReadSamples(fit, std::nullopt, -1, 100);
  ASSERT_TRUE(rows.ok()) << rows.status();
  ASSERT_EQ(rows->size(), 4u);
  EXPECT_EQ((*rows)[0].status, SampleStatus::kCancelled);
  EXPECT_EQ((*rows)[1].status, SampleStatus::kOk);
  EXPECT_EQ((*rows)[1].total_error, 0.25);
  EXPECT_EQ((*rows)[1].output_errors,
            (std::vector<double>{0.25 / 3, 0.25 / 7}));
  EXPECT_EQ((*rows)[1].output_errors_normalized,
            (std::vector<double>{0.25, 0.25 / 11}));
  EXPECT_EQ((*rows)[1].parameters, ExampleRound(1, 0, 0, 4).points[1]);
  EXPECT_EQ((*rows)[2].status, SampleStatus::kFailed);
  EXPECT_TRUE(std::isnan((*rows)[2].total_error));
  EXPECT_EQ((*rows)[3].status, SampleStatus::kCancelled);
}

TEST_P(StoreSuite, PagesSamplesByStage) {
  const FitRecord fit = ExampleFit(1, "f");
  RoundRecord points = ExampleRound(1, 0, 4, 2);
  points.stage = 1;
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 4), points, ExampleRound(1, 1, 6, 4)});
  auto numbers = [&](std::optional<int32_t> stage, int64_t after,
                     int64_t limit) {
    std::string text;
    const auto rows = store_->ReadSamples(fit, stage, after, limit);
    if (!rows.ok()) return rows.status().ToString();
    for (const SampleRow& row : *rows) {
      absl::StrAppend(&text, row.sample, ":", row.stage, ":", row.round, " ");
    }
    return text;
  };
  EXPECT_EQ(numbers(std::nullopt, 2, 3), "3:0:0 4:1:0 5:1:0 ");
  EXPECT_EQ(numbers(0, 2, 3), "3:0:0 6:0:1 7:0:1 ");
  EXPECT_EQ(numbers(1, -1, 100), "4:1:0 5:1:0 ");
  EXPECT_EQ(numbers(1, 5, 100), "");
  EXPECT_EQ(numbers(7, -1, 100), "");
}

TEST_P(StoreSuite, FiltersAndOrdersSamples) {
  const FitRecord fit = ExampleFit(1, "f");
  RoundRecord second = ExampleRound(1, 0, 5, 5);
  second.stage = 1;
  Commit({NewFit{fit}, StageRecord{1, 0, StageKind::kOptimize, 0, ""},
          ExampleRound(1, 0, 0, 5), second});
  RecordedSample broken = Result(2, kNan);
  broken.evaluation.status = SampleStatus::kNonfinite;
  RecordedSample tolled = Result(7, 0.5);
  tolled.evaluation.penalty = 0.125;
  Commit({Results(1, {Result(0, 0.5), Result(1, 0.25), broken, Result(3, 0.25),
                      Result(5, 0.75), Result(6, 0.1), tolled})});
  const auto numbers = [&](SampleQuery query) {
    std::string text;
    query.limit = query.limit == 0 ? 100 : query.limit;
    const auto rows = store_->ReadSamples(fit, query);
    if (!rows.ok()) return std::string(rows.status().message());
    for (const SampleRow& row : *rows) absl::StrAppend(&text, row.sample, " ");
    return text;
  };
  SampleQuery best;
  best.order_by = "total_error";
  EXPECT_EQ(numbers(best), "6 1 3 0 7 5 ");
  best.stage = 0;
  EXPECT_EQ(numbers(best), "1 3 0 ");
  best.descending = true;
  EXPECT_EQ(numbers(best), "0 3 1 ");
  // Pages join without gaps or repeats, where errors are equal too.
  for (const bool descending : {false, true}) {
    SampleQuery pages;
    pages.order_by = "total_error";
    pages.descending = descending;
    const std::string whole = numbers(pages);
    for (const int64_t size : {1, 2, 3}) {
      std::string joined;
      SampleQuery page = pages;
      page.limit = size;
      for (std::string part = numbers(page); !part.empty();
           part = numbers(page)) {
        joined += part;
        page.after_sample = store_->ReadSamples(fit, page)->back().sample;
      }
      EXPECT_EQ(joined, whole);
    }
  }
  SampleQuery backwards;
  backwards.descending = true;
  EXPECT_EQ(numbers(backwards), "9 8 7 6 5 4 3 2 1 0 ");
  backwards.after_sample = 3;
  EXPECT_EQ(numbers(backwards), "2 1 0 ");
  SampleQuery open;
  open.status = {SampleStatus::kDrawn, SampleStatus::kNonfinite};
  EXPECT_EQ(numbers(open), "2 4 8 9 ");
  SampleQuery within;
  within.ranges = {{"total_error", 0.2, 0.5}};
  EXPECT_EQ(numbers(within), "0 1 3 7 ");
  within.ranges.push_back({"stage", 1, {}});
  EXPECT_EQ(numbers(within), "7 ");
  within.ranges = {{"penalty", {}, {}}};
  EXPECT_EQ(numbers(within), "7 ");
  within.stage = 0;
  EXPECT_EQ(numbers(within), "");
  SampleQuery unknown;
  unknown.order_by = "total_eror";
  EXPECT_THAT(numbers(unknown), HasSubstr("did you mean \"total_error\""));
  unknown.order_by = "";
  unknown.ranges = {{"worker\" OR 1=1 --", 0, 1}};
  EXPECT_THAT(numbers(unknown), HasSubstr("no column of numbers"));
  SampleQuery details;
  details.ranges = {{"sample", 7, 7}};
  details.trace_errors = true;
  details.limit = 1;
  const auto rows = store_->ReadSamples(fit, details);
  ASSERT_TRUE(rows.ok()) << rows.status();
  EXPECT_EQ(rows->at(0).penalty, 0.125);
  EXPECT_THAT(rows->at(0).trace_errors,
              ::testing::ElementsAre(1, 2, 3, ::testing::IsNan()));
}

}  // namespace somafit
