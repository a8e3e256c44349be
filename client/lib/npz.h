#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace somafit {

// What precedes the numbers of a NumPy file, format version 1.0. `descr` like
// "<f8", `shape` like "3, 4" or "3,".
std::string NpyHeader(const std::string& descr, const std::string& shape);

// NumPy's archive of arrays: a zip file of .npy files, nothing compressed, with
// 64-bit sizes where they are needed.
class NpzWriter {
 public:
  // One-dimensional.
  void Add(const std::string& name, const std::vector<double>& values);
  void Add(const std::string& name, const std::vector<int64_t>& values);
  // [rows x columns], row-major.
  void AddMatrix(const std::string& name, const std::vector<double>& values,
                 size_t columns);
  void AddMatrix(const std::string& name, const std::vector<float>& values,
                 size_t columns);
  // The whole archive.
  std::string Finish();

 private:
  void AddFile(const std::string& name, const std::string& header,
               const void* data, size_t size);

  struct Entry {
    std::string name;
    uint32_t crc = 0;
    uint64_t size = 0, offset = 0;
  };
  std::string bytes_;
  std::vector<Entry> entries_;
};

}  // namespace somafit
