#include "server/study/raw_file.h"

#include <cstring>

#include <gtest/gtest.h>

namespace somafit {
namespace {

std::vector<RecordedSample> Samples() {
  std::vector<RecordedSample> samples(3);
  samples[0].evaluation.raw_x = {1, 2, 3};
  samples[2].evaluation.raw_x = {4, 5, 6};
  return samples;
}

TEST(RawFileTest, HasWhatItWasGiven) {
  auto samples = Samples();
  const std::string bytes = EncodeRawFile({7, 8}, samples);
  EXPECT_EQ(bytes.substr(0, 8), kRawFileMark);
  EXPECT_TRUE(samples[0].evaluation.raw_x.empty());
  EXPECT_EQ(samples[1].raw.offset, 0);
  for (const size_t i : {size_t{0}, size_t{2}}) {
    const auto floats = RawFloats(bytes, samples[i].raw.offset, 3);
    ASSERT_TRUE(floats.ok()) << floats.status();
    float values[3];
    std::memcpy(values, floats->data(), sizeof(values));
    EXPECT_EQ(values[0], static_cast<float>(3 * i / 2 + 1));
    EXPECT_EQ(values[2], static_cast<float>(3 * i / 2 + 3));
  }
}

TEST(RawFileTest, BelongsToOneFit) {
  auto one = Samples(), same = Samples(), other = Samples(), later = Samples();
  const std::string bytes = EncodeRawFile({7, 8}, one);
  EXPECT_EQ(EncodeRawFile({7, 8}, same), bytes);
  EXPECT_NE(EncodeRawFile({9, 8}, other), bytes);
  EXPECT_NE(EncodeRawFile({7, 9}, later), bytes);
}

TEST(RawFileTest, WhatIsNotThereIsRefused) {
  auto samples = Samples();
  const std::string bytes = EncodeRawFile({7, 8}, samples);
  for (const int64_t offset : {int64_t{-1}, samples[2].raw.offset + 1,
                               int64_t{1} << 62, int64_t{1} << 40}) {
    EXPECT_TRUE(absl::IsDataLoss(RawFloats(bytes, offset, 3).status()));
  }
  EXPECT_TRUE(absl::IsDataLoss(RawFloats(bytes, 0, 1000).status()));
  std::vector<RecordedSample> none(2);
  EXPECT_EQ(EncodeRawFile({7, 8}, none), "");
}

}  // namespace
}  // namespace somafit
