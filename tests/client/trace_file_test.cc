#include "client/lib/trace_file.h"

#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/lib/npy.h"
#include "tests/client/scratch_folder.h"

namespace somafit {
namespace {

using ::testing::HasSubstr;
using ::testing::NanSensitiveDoubleEq;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

void ExpectTable(const absl::StatusOr<TraceTable>& table,
                 const TraceTable& expected) {
  ASSERT_TRUE(table.ok()) << table.status();
  ASSERT_EQ(table->size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    std::vector<testing::Matcher<double>> row;
    for (const double value : expected[i]) {
      row.push_back(NanSensitiveDoubleEq(value));
    }
    EXPECT_THAT((*table)[i], testing::ElementsAreArray(row)) << "row " << i;
  }
}

struct Good {
  std::string text;
  TraceLayout layout;
  TraceTable expected;
};

TEST(TraceFileTest, RecognisesHeadersAndIndexColumns) {
  constexpr auto kRows = TraceLayout::kRows;
  const std::vector<Good> cases = {
      {"1.5,2\n3,4\n", kRows, {{1.5, 2}, {3, 4}}},
      {"1.5,2", kRows, {{1.5, 2}}},
      {"\xef\xbb\xbf"
       "1.5,2\r\n3,4\r\n\r\n",
       kRows,
       {{1.5, 2}, {3, 4}}},
      {",0,1,2\n0,5,6,7\n1,8,9,10\n", kRows, {{5, 6, 7}, {8, 9, 10}}},
      {"trace,0,1,2\n0,5,6,7\n1,8,9,10\n", kRows, {{5, 6, 7}, {8, 9, 10}}},
      {"Trace,1,2\n1,5,6\n2,8,9\n", kRows, {{5, 6}, {8, 9}}},
      {"\"#\",a\n1,5\n2,6\n", kRows, {{5}, {6}}},
      {",0\n4,5\n", kRows, {{4, 5}}},
      {"0,1,2,3,4,5,6,7,8,9\n1,1,1,1,1,1,1,1,1,1\n",
       kRows,
       {{1, 1, 1, 1, 1, 1, 1, 1, 1, 1}}},
      {"a,b\n5,6\n", kRows, {{5, 6}}},
      // Only a cell that names it makes an index.
      {"a,b\n0,6\n1,8\n", kRows, {{0, 6}, {1, 8}}},
      {",b\n0,6\n2,8\n", kRows, {{0, 6}, {2, 8}}},
      // Numbers that only look like a header.
      {"0,1,2\n5,6,7\n", kRows, {{0, 1, 2}, {5, 6, 7}}},
      {"1,2,3\n", kRows, {{1, 2, 3}}},
      {"1,2,3,4,5,6,7,8,9,10\n", kRows, {{1, 2, 3, 4, 5, 6, 7, 8, 9, 10}}},
      {",5,6\n", kRows, {{kNan, 5, 6}}},
      {"2,3,4\n5,6,7\n", kRows, {{2, 3, 4}, {5, 6, 7}}},
      {"0,0,0\n1,1,1\n", kRows, {{0, 0, 0}, {1, 1, 1}}},
      {"0\n1\n", kRows, {{0}, {1}}},
      {"0,1.5\n", kRows, {{0, 1.5}}},
      {"nan,NaN\n,3\n", kRows, {{kNan, kNan}, {kNan, 3}}},
      {",,1\n", kRows, {{kNan, kNan, 1}}},
      {"1;2\n3;4\n", kRows, {{1, 2}, {3, 4}}},
      {"1\t2\n3\t\n", kRows, {{1, 2}, {3, kNan}}},
      {"# made by us\n1, 2\n\"3\", \"4\"\n", kRows, {{1, 2}, {3, 4}}},
      {"1e-9,-2E+3\n", kRows, {{1e-9, -2000}}},
      {"v1,v2\n1,2\n3,4\n5,6\n", TraceLayout::kColumns, {{1, 3, 5}, {2, 4, 6}}},
      {",v1,v2\n0,1,2\n1,3,4\n", TraceLayout::kColumns, {{1, 3}, {2, 4}}},
  };
  for (const Good& each : cases) {
    SCOPED_TRACE(each.text);
    ExpectTable(ParseTraceCsv(each.text, "o.csv", each.layout), each.expected);
  }
}

TEST(TraceFileTest, NamesThePlaceOfAMistake) {
  struct Bad {
    std::string text;
    std::string message;
  };
  const std::vector<Bad> cases = {
      {"1,2,3\n4,5,6\n-60.5,1.25,-61.2345,abc\n", "o.csv:3:1: this row has 4"},
      {"1,2\n-60.5,   abc\n", "o.csv:2:10: \"abc\" is not a number"},
      {"NA,1,2\n5,6,7\n", "o.csv:1:1: \"NA\" is not a number"},
      {"0x10,0,1,2\n", "o.csv:1:1: \"0x10\" is not a number"},
      {"1.5,x\n", "o.csv:1:5: \"x\" is not a number"},
      {"1.5,2\n3\n", "o.csv:2:1: this row has 1 cells, the first has 2"},
      {"1.5,inf\n", "o.csv:1:5: \"inf\" is not finite"},
      {"1.5,2,5;3\n", "\"5;3\" is not a number"},
      {"", "no numbers"},
      {"\n\n", "no numbers"},
      {"a,b\n", "no numbers"},
      {"# nothing\n", "no numbers"},
      {"t,v\n0.0,1\n0.1,2\n", "o.csv:1:1: the column \"t\" holds times"},
      {"Time [ms],v\n0.0,1\n", "holds times"},
      {std::string("1,\0", 3), "zero bytes"},
  };
  for (const Bad& each : cases) {
    SCOPED_TRACE(each.text);
    const auto table = ParseTraceCsv(each.text, "o.csv", TraceLayout::kRows);
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(table.status().message()), HasSubstr(each.message));
  }
}

TEST(TraceFileTest, ReportsSeveralMistakesButNotAll) {
  std::string text = "1.5\n";
  for (int i = 0; i < 1000; ++i) text += "x\n";
  const std::string message(
      ParseTraceCsv(text, "o.csv", TraceLayout::kRows).status().message());
  EXPECT_THAT(message, HasSubstr("o.csv:3:1:"));
  EXPECT_LT(message.size(), 1000u);
}

std::string Npy(const std::string& header, const std::string& data,
                char version = 1) {
  std::string text = "\x93NUMPY";
  text += version;
  text += '\0';
  const size_t size = header.size();
  text += static_cast<char>(size & 255);
  text += static_cast<char>(size >> 8);
  if (version == 2) text += std::string(2, '\0');
  return text + header + data;
}

template <typename T>
std::string Bytes(const std::vector<T>& values) {
  std::string bytes(values.size() * sizeof(T), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

std::string Header(const std::string& type, const std::string& shape,
                   const std::string& fortran = "False") {
  return "{'descr': '" + type + "', 'fortran_order': " + fortran +
         ", 'shape': " + shape + ", }      \n";
}

TEST(TraceFileTest, ReadsNumPyArrays) {
  const TraceTable expected = {{1, 2, 3}, {4, 5, -6}};
  const std::string shape = "(2, 3)";
  ExpectTable(
      ParseNpy(Npy(Header("<f8", shape), Bytes<double>({1, 2, 3, 4, 5, -6})),
               "a.npy"),
      expected);
  ExpectTable(
      ParseNpy(Npy(Header("<f4", shape), Bytes<float>({1, 2, 3, 4, 5, -6}), 2),
               "a.npy"),
      expected);
  ExpectTable(
      ParseNpy(Npy(Header("<i4", shape), Bytes<int32_t>({1, 2, 3, 4, 5, -6})),
               "a.npy"),
      expected);
  ExpectTable(
      ParseNpy(Npy(Header("<i8", shape), Bytes<int64_t>({1, 2, 3, 4, 5, -6})),
               "a.npy"),
      expected);
  ExpectTable(
      ParseNpy(Npy(Header("<f8", "(3,)"), Bytes<double>({1, 2, 3})), "a.npy"),
      {{1, 2, 3}});
  const ScratchFolder folder;
  const std::string path = folder.Write(
      "a.npy", Npy(Header("<f8", "(3, 1)"), Bytes<double>({1, 2, 3})));
  ExpectTable(ReadTraceFile(path, TraceLayout::kColumns), {{1, 2, 3}});
  const std::string flat = folder.Write(
      "b.npy", Npy(Header("<f8", "(3,)"), Bytes<double>({1, 2, 3})));
  for (const TraceLayout layout : {TraceLayout::kRows, TraceLayout::kColumns}) {
    ExpectTable(ReadTraceFile(flat, layout), {{1, 2, 3}});
  }
}

TEST(TraceFileTest, RefusesOtherArrays) {
  const std::string data = Bytes<double>({1, 2});
  struct Bad {
    std::string bytes;
    std::string message;
  };
  const std::vector<Bad> cases = {
      {"", "not an npy file"},
      {"\x93NUMPY", "not an npy file"},
      {Npy(Header("<f8", "(2,)"), data, 3), "npy version 3"},
      {Npy(Header("<f8", "(2,)", "True"), data), "Fortran order"},
      {Npy(Header(">f8", "(2,)"), data), "\">f8\" are not read"},
      {Npy(Header("<c16", "(1,)"), data), "\"<c16\" are not read"},
      {Npy(Header("<f8", "(3,)"), data), "1 x 3"},
      {Npy(Header("<f8", "(1,)"), data), "16 bytes follow"},
      {Npy(Header("<f8", "()"), data), "a single number"},
      {Npy(Header("<f8", "(0,)"), ""), "empty"},
      {Npy(Header("<f8", "(1, 1, 2)"), data), "one or two dimensions"},
      {Npy(Header("<f8", "(4294967296, 4294967296)"), data), "announces"},
      {Npy(Header("<f8", "(-1,)"), data), "one or two dimensions"},
      {Npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,)}",
           data),
       "cannot be read"},
      {Npy("{", data), "cannot be read"},
      {Npy(Header("<f8", "(2,)"), data).substr(0, 30), "cut off"},
  };
  for (const Bad& each : cases) {
    const auto table = ParseNpy(each.bytes, "a.npy");
    EXPECT_EQ(table.status().code(), absl::StatusCode::kInvalidArgument)
        << each.message;
    EXPECT_THAT(std::string(table.status().message()), HasSubstr(each.message));
  }
}

TEST(TraceFileTest, SaysWhyAFileCannotBeRead) {
  const ScratchFolder folder;
  EXPECT_THAT(
      std::string(ReadTraceFile(folder.Path("no.csv"), TraceLayout::kRows)
                      .status()
                      .message()),
      HasSubstr("no.csv: No such file"));
  EXPECT_THAT(
      std::string(
          ReadTraceFile(folder.path(), TraceLayout::kRows).status().message()),
      HasSubstr("not a regular file"));
}

}  // namespace
}  // namespace somafit
