#include "client/lib/trace_writer.h"

#include <cmath>
#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/npy.h"

namespace somafit {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

// Two points, traces of 2 and 3 steps, variables v and "trace".
v1::TraceHeader Header() {
  v1::TraceHeader header;
  header.add_outputs()->set_name("v");
  header.add_outputs()->set_name("trace");
  header.set_points(2);
  header.add_steps(2);
  header.add_steps(3);
  header.set_dt(1e-5);
  return header;
}

const Recording kFirst = {1, 2, 10, 20, 3, 4, 5, 30, 40, 50};
const Recording kSecond = {-0.065, 2, 1e-9, 20, kNaN, 4, 5, 30, INFINITY, 50};

TEST(TraceWriterTest, CsvIsALongTableInSi) {
  std::string text;
  TraceWriter writer(TraceFormat::kCsv, Header(), [&](absl::string_view piece) {
    text.append(piece.data(), piece.size());
  });
  writer.Begin();
  writer.Add(kFirst);
  EXPECT_EQ(writer.n_diverged(), 0);
  writer.Add(kSecond);
  EXPECT_EQ(text,
            "point,trace,t,v,trace_\n"
            "0,0,0,1,10\n0,0,1e-05,2,20\n"
            "0,1,0,3,30\n0,1,1e-05,4,40\n0,1,2e-05,5,50\n"
            "1,0,0,-0.065,1e-09\n1,0,1e-05,2,20\n"
            "1,1,0,nan,30\n1,1,1e-05,4,inf\n1,1,2e-05,5,50\n");
  EXPECT_EQ(writer.n_diverged(), 1);
  EXPECT_THAT(writer.diverged(), testing::ElementsAre(1));
}

TEST(TraceWriterTest, NpyPadsShorterTraces) {
  std::string bytes;
  TraceWriter writer(TraceFormat::kNpy, Header(), [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
  });
  writer.Begin();
  EXPECT_EQ(bytes.size() % 64, 0u);
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x93NUMPY\x01\x00", 8));
  EXPECT_THAT(bytes, testing::HasSubstr("'shape': (2, 2, 2, 3), }"));
  EXPECT_TRUE(writer.padded());
  const size_t begin = bytes.size();
  writer.Add(kFirst);
  writer.Add(kSecond);
  std::vector<double> numbers((bytes.size() - begin) / 8);
  std::memcpy(numbers.data(), bytes.data() + begin, bytes.size() - begin);
  ASSERT_EQ(numbers.size(), 24u);
  EXPECT_THAT(std::vector<double>(numbers.begin(), numbers.begin() + 12),
              testing::ElementsAre(1, 2, testing::IsNan(), 10, 20,
                                   testing::IsNan(), 3, 4, 5, 30, 40, 50));
}

TEST(TraceWriterTest, OurReaderReadsWhatItWrites) {
  v1::TraceHeader header = Header();
  header.set_steps(0, 3);
  std::string bytes;
  TraceWriter writer(TraceFormat::kNpy, header, [&](absl::string_view piece) {
    bytes.append(piece.data(), piece.size());
  });
  EXPECT_FALSE(writer.padded());
  writer.Begin();
  // It reads two dimensions only, and says so: the header is understood.
  EXPECT_THAT(std::string(ParseNpy(bytes, "x.npy").status().message()),
              testing::HasSubstr("the shape (2, 2, 2, 3)"));
}

TEST(TraceWriterTest, TakesTwoEndings) {
  EXPECT_EQ(*TraceFormatOf("a/b.csv"), TraceFormat::kCsv);
  EXPECT_EQ(*TraceFormatOf("B.NPY"), TraceFormat::kNpy);
  for (const char* path : {"a", "a.txt", "csv", "a.csv.gz", ""}) {
    EXPECT_TRUE(absl::IsInvalidArgument(TraceFormatOf(path).status())) << path;
  }
}

TEST(TraceWriterTest, RefusesHeadersThatCannotBe) {
  EXPECT_TRUE(ShapeOf(Header()).ok());
  for (const int64_t steps : {int64_t{0}, int64_t{-1}, int64_t{1} << 40,
                              std::numeric_limits<int64_t>::max()}) {
    v1::TraceHeader header = Header();
    header.set_steps(1, steps);
    EXPECT_TRUE(absl::IsInternal(ShapeOf(header).status())) << steps;
  }
  EXPECT_TRUE(absl::IsInternal(ShapeOf(v1::TraceHeader()).status()));
}

}  // namespace
}  // namespace somafit
