#include "proto/convert/traces.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace somafit {
namespace {

using testing::HasSubstr;

// Numbers that tell where they belong.
Recording Example(const RecordingShape& shape, int64_t point) {
  Recording recording;
  for (size_t i = 0; i < shape.size(); ++i) {
    recording.push_back(1e6 * static_cast<double>(point) +
                        static_cast<double>(i));
  }
  return recording;
}

// Messages with all points from `first` on.
std::vector<TracePieces> CutAll(const RecordingShape& shape, int64_t first,
                                int64_t n) {
  std::vector<TracePieces> messages(1);
  size_t bytes = 0;
  for (int64_t i = 0; i < n; ++i) {
    const Recording recording = Example(shape, first + i);
    TraceCutter cutter(shape, first + i, recording);
    while (!cutter.Cut(&messages.back(), &bytes)) {
      messages.emplace_back();
      bytes = 0;
    }
  }
  return messages;
}

absl::Status AddAll(TraceAssembler& assembler,
                    const std::vector<TracePieces>& messages,
                    std::vector<Recording>& recordings) {
  for (const TracePieces& pieces : messages) {
    const absl::Status added =
        assembler.Add(pieces, [&](int64_t, Recording recording) {
          recordings.push_back(std::move(recording));
          return absl::OkStatus();
        });
    if (!added.ok()) return added;
  }
  return absl::OkStatus();
}

TEST(TracesTest, ComeBackAsTheyWere) {
  for (const auto& [shape, n_messages] :
       std::vector<std::pair<RecordingShape, size_t>>{
           {RecordingShape(2, {3, 1, 7}), 1},
           {RecordingShape(1, {1}), 1},
           {RecordingShape(3, {200'000, 5}), 14}}) {
    const auto messages = CutAll(shape, 40, 3);
    EXPECT_EQ(messages.size(), n_messages);
    for (const TracePieces& pieces : messages) {
      v1::TracePiece one;
      size_t bytes = 0;
      for (const v1::TracePiece& piece : pieces) bytes += piece.ByteSizeLong();
      EXPECT_LE(bytes, kMaxPieceBytes);
    }
    TraceAssembler assembler(shape, 40, 3);
    std::vector<Recording> recordings;
    ASSERT_TRUE(AddAll(assembler, messages, recordings).ok());
    EXPECT_TRUE(assembler.complete());
    ASSERT_EQ(recordings.size(), 3u);
    for (int64_t i = 0; i < 3; ++i) {
      EXPECT_EQ(recordings[static_cast<size_t>(i)], Example(shape, 40 + i));
    }
  }
}

TEST(TracesTest, RefusesAnyOtherOrder) {
  const RecordingShape shape(2, {3, 4});
  const TracePieces good = CutAll(shape, 0, 2)[0];
  ASSERT_EQ(good.size(), 8);
  const auto refused = [&](const std::function<void(TracePieces&)>& change) {
    std::vector<TracePieces> messages = {good};
    change(messages[0]);
    TraceAssembler assembler(shape, 0, 2);
    std::vector<Recording> recordings;
    const absl::Status status = AddAll(assembler, messages, recordings);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << status;
    return std::string(status.message());
  };
  EXPECT_THAT(refused([](TracePieces& p) { p.SwapElements(1, 2); }),
              HasSubstr("a piece of point 0, trace 1, output 0, step 0 comes "
                        "where point 0, trace 0, output 1, step 0"));
  refused([](TracePieces& p) { p[0].set_point(1); });
  refused([](TracePieces& p) { p[0].set_point(-1); });
  refused([](TracePieces& p) { p[3].set_trace(-1); });
  refused([](TracePieces& p) { p[3].set_output(1 << 30); });
  refused([](TracePieces& p) { p[3].set_first_step(1); });
  refused([](TracePieces& p) { p[3].clear_values(); });
  EXPECT_THAT(refused([](TracePieces& p) { p[0].add_values(1); }),
              HasSubstr("has 4 numbers where 3 are left"));
  EXPECT_THAT(refused([](TracePieces& p) { *p.Add() = p[7]; }),
              HasSubstr("after the last one"));
  TraceAssembler assembler(shape, 0, 2);
  TracePieces part = good;
  part.RemoveLast();
  std::vector<Recording> recordings;
  EXPECT_TRUE(AddAll(assembler, {part}, recordings).ok());
  EXPECT_FALSE(assembler.complete());
  EXPECT_EQ(assembler.next_point(), 1);
}

}  // namespace
}  // namespace somafit
