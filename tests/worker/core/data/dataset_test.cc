#include "worker/core/data/dataset.h"

#include <bit>
#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/core/base/random.h"

namespace somafit {
namespace {

using testing::HasSubstr;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kInf = std::numeric_limits<double>::infinity();
const Dimension kVolt({2, 1, -3, -1, 0, 0, 0});
const Dimension kAmpere({0, 0, 0, 1, 0, 0, 0});

Dataset Small() {
  Dataset dataset;
  dataset.inputs = {{"I", kAmpere}};
  dataset.outputs = {{"v", kVolt}, {"w", kNoDimension}};
  dataset.traces = {{1e-5, 1, {{0, 1, 2}}, {{-0.065, kNaN, -0.06}, {1, 2, 3}}},
                    {2e-5, 2, {{3, 4}}, {{0, 0}, {kNaN, kNaN}}}};
  return dataset;
}

TEST(DatasetTest, DecodesWhatItEncoded) {
  const std::string bytes = EncodeDataset(Small());
  const auto decoded = DecodeDataset(bytes);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(EncodeDataset(*decoded), bytes);
  ASSERT_EQ(decoded->traces.size(), 2u);
  EXPECT_EQ(decoded->traces[1].weight, 2);
  EXPECT_EQ(decoded->traces[1].inputs[0], (std::vector<double>{3, 4}));
  EXPECT_TRUE(std::isnan(decoded->traces[0].targets[0][1]));
  EXPECT_EQ(decoded->outputs[0].name, "v");
  EXPECT_EQ(decoded->outputs[0].dimension, kVolt);
}

TEST(DatasetTest, EncodesEveryNanAndZeroExponentAlike) {
  Dataset other = Small();
  other.traces[0].targets[0][1] =
      std::bit_cast<double>(uint64_t{0xfff8000000001234});
  other.outputs[1].dimension = Dimension({-0.0, 0, 0, 0, 0, 0, 0});
  EXPECT_EQ(EncodeDataset(other), EncodeDataset(Small()));
}

TEST(DatasetTest, EncodesDifferentDatasetsDifferently) {
  const std::string bytes = EncodeDataset(Small());
  Dataset other = Small();
  other.traces[0].targets[0][0] = std::nextafter(-0.065, 0);
  EXPECT_NE(EncodeDataset(other), bytes);
  other = Small();
  other.outputs[0].name = std::string("u");
  EXPECT_NE(EncodeDataset(other), bytes);
  other = Small();
  other.traces[0].weight = 3;
  EXPECT_NE(EncodeDataset(other), bytes);
}

TEST(DatasetTest, SaysWhatIsWrong) {
  struct Case {
    void (*damage)(Dataset&);
    const char* message;
  };
  for (const Case& c : std::vector<Case>{
           {[](Dataset& d) { d.inputs[0].name = std::string("1x"); }, "\"1x\""},
           {[](Dataset& d) { d.inputs[0].name = std::string(""); },
            "identifier"},
           {[](Dataset& d) { d.outputs[1].name = std::string("v"); }, "twice"},
           {[](Dataset& d) { d.outputs[1].name = std::string("I"); }, "twice"},
           {[](Dataset& d) { d.outputs.clear(); }, "no output"},
           {[](Dataset& d) { d.traces.clear(); }, "no trace"},
           {[](Dataset& d) { d.traces[1].dt = 0; },
            "trace 1 has the time step"},
           {[](Dataset& d) { d.traces[1].dt = kInf; }, "inf"},
           {[](Dataset& d) { d.traces[0].weight = -1; }, "weight -1"},
           {[](Dataset& d) { d.traces[0].weight = kNaN; }, "weight nan"},
           {[](Dataset& d) { d.traces[0].inputs[0][2] = kNaN; },
            "input \"I\" of trace 0 is nan at sample 2"},
           {[](Dataset& d) { d.traces[0].targets[1][1] = kInf; },
            "output \"w\" of trace 0 is inf at sample 1"},
           {[](Dataset& d) { d.traces[1].targets[0].pop_back(); },
            "has 1 samples, but the trace has 2 steps"},
           {[](Dataset& d) { d.traces[1].targets.pop_back(); },
            "has 1 output signals, but the dataset has 2"},
           {[](Dataset& d) {
              d.traces[1] = {1, 1, {{}}, {{}, {}}};
            },
            "no samples"},
           {[](Dataset& d) {
              d.inputs[0].dimension = Dimension({kInf, 0, 0, 0, 0, 0, 0});
            },
            "exponent"},
           {[](Dataset& d) {
              d.outputs.resize(65, {"x", kNoDimension});
            },
            "at most 64"},
       }) {
    Dataset dataset = Small();
    c.damage(dataset);
    const absl::Status status = ValidateDataset(dataset);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << c.message;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.message));
  }
  EXPECT_TRUE(ValidateDataset(Small()).ok());
}

TEST(DatasetTest, ReportsAllViolations) {
  Dataset dataset = Small();
  dataset.traces[0].dt = -1;
  dataset.traces[1].weight = 0;
  const std::string message(ValidateDataset(dataset).message());
  EXPECT_THAT(message, HasSubstr("trace 0"));
  EXPECT_THAT(message, HasSubstr("\ntrace 1"));
}

TEST(DatasetTest, RefusesEveryCutAndEveryTrailingByte) {
  const std::string bytes = EncodeDataset(Small());
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(DecodeDataset(bytes.substr(0, size)).status().code(),
              absl::StatusCode::kInvalidArgument)
        << size;
  }
  EXPECT_FALSE(DecodeDataset(absl::StrCat(bytes, "x")).ok());
}

TEST(DatasetTest, RefusesOrReadsExactlyWhatIsDamaged) {
  const std::string bytes = EncodeDataset(Small());
  RandomStream random(3, StreamPurpose::kExample, 0, 0);
  for (int i = 0; i < 20'000; ++i) {
    std::string damaged = bytes;
    const uint64_t n_bytes = 1 + random.Below(3);
    for (uint64_t j = 0; j < n_bytes; ++j) {
      damaged[random.Below(damaged.size())] =
          static_cast<char>(random.Below(256));
    }
    const auto decoded = DecodeDataset(damaged);
    if (decoded.ok()) {
      EXPECT_EQ(EncodeDataset(*decoded), damaged);
    }
  }
}

TEST(DatasetTest, DoesNotBelieveAnnouncedSizes) {
  // A trace of 2^61 steps in a few bytes.
  std::string bytes = EncodeDataset(Small());
  const size_t n_steps_at = 8 + 16 + 3 * (8 + 56) + 3 + 16;
  ASSERT_EQ(bytes[n_steps_at], 3);
  bytes[n_steps_at + 7] = 0x20;
  EXPECT_FALSE(DecodeDataset(bytes).ok());
}

}  // namespace
}  // namespace somafit
