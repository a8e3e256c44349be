#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "absl/status/status.h"

#include "somafit/v1/traces.pb.h"
#include "worker/core/data/recording.h"

namespace somafit {

// Bytes of pieces in one message.
inline constexpr size_t kMaxPieceBytes = size_t{1} << 20;

using TracePieces = google::protobuf::RepeatedPtrField<v1::TracePiece>;

// Cuts one recording into pieces, in order. What is passed must live as long.
class TraceCutter {
 public:
  TraceCutter(const RecordingShape& shape, int64_t point,
              const Recording& recording)
      : shape_(shape), point_(point), recording_(recording) {}

  // Appends the next pieces, as many as fit; `bytes`, what pieces take in the
  // message so far, grows with them. False when the message is full, true when
  // the recording is over.
  bool Cut(TracePieces* pieces, size_t* bytes);

 private:
  const RecordingShape& shape_;
  const int64_t point_;
  const Recording& recording_;
  size_t trace_ = 0, output_ = 0, step_ = 0;
};

// Puts the pieces of points first, first + 1, ... together again.
class TraceAssembler {
 public:
  // REQUIRES: every trace has steps, and there is an output.
  TraceAssembler(RecordingShape shape, int64_t first_point, int64_t n_points);

  // InvalidArgument for a piece that is not the next one, names both places.
  // Calls `take` for each recording that is complete; what it returns ends Add.
  using Take = std::function<absl::Status(int64_t point, Recording recording)>;
  absl::Status Add(const TracePieces& pieces, const Take& take);

  bool complete() const { return point_ == end_; }
  int64_t next_point() const { return point_; }

 private:
  absl::Status AddPiece(const v1::TracePiece& piece, const Take& take);

  const RecordingShape shape_;
  int64_t point_;
  const int64_t end_;
  size_t trace_ = 0, output_ = 0, step_ = 0;
  Recording recording_;
};

}  // namespace somafit
