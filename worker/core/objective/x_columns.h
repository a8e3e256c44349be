#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace somafit {

// A part of a raw trace that is columns of x: steps first_step, first_step +
// every, ... of an output on a trace.
struct TraceSegment {
  std::string name;  // of the columns, "v"
  size_t output = 0, trace = 0;
  size_t first_step = 0, every = 1, count = 0;
  size_t column = 0;  // where it begins in x

  size_t StepOf(size_t k) const { return first_step + k * every; }
};

// What the columns of x are called. Of raw traces there are many: their names,
// "v[0][17]" for step 17 of trace 0, are made when they are asked for.
class XColumns {
 public:
  XColumns() = default;
  explicit XColumns(std::vector<std::string> names)
      : size_(names.size()), names_(std::move(names)) {}
  // Places the segments one behind the other.
  explicit XColumns(std::vector<TraceSegment> segments);

  size_t size() const { return size_; }
  bool raw() const { return !segments_.empty(); }
  // REQUIRES: column < size().
  std::string NameOf(size_t column) const;

  // Empty where `raw`.
  const std::vector<std::string>& names() const { return names_; }
  // Empty unless `raw`.
  const std::vector<TraceSegment>& segments() const { return segments_; }
  // Where the columns of each output end, in order: numbers of one unit each.
  std::vector<size_t> OutputEnds() const;

 private:
  size_t size_ = 0;
  std::vector<std::string> names_;
  std::vector<TraceSegment> segments_;
};

}  // namespace somafit
