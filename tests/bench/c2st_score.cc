// Prints the two-sample score of two CSV files, and how long it took:
//
//   c2st_score X.csv Y.csv [single]
//
// tests/oracle/c2st_oracle.py compares it with scikit-learn.

#include <chrono>
#include <cstdio>
#include <cstring>

#include "server/posterior/c2st.h"
#include "tests/support/csv_matrix.h"

int main(int argc, char** argv) {
  if (argc < 3 || argc > 4) {
    std::fprintf(stderr, "usage: c2st_score X.csv Y.csv [single]\n");
    return 2;
  }
  const auto x = somafit::ReadCsv(argv[1]), y = somafit::ReadCsv(argv[2]);
  for (const auto* one : {&x, &y}) {
    if (one->ok()) continue;
    std::fprintf(stderr, "%s\n", one->status().ToString().c_str());
    return 1;
  }
  if (x->columns != y->columns) {
    std::fprintf(stderr, "the files have %zu and %zu columns\n", x->columns,
                 y->columns);
    return 1;
  }
  somafit::C2stOptions options;
  options.single_precision = argc == 4 && std::strcmp(argv[3], "single") == 0;
  const auto start = std::chrono::steady_clock::now();
  const auto score = somafit::C2st(x->values, y->values, x->columns, options);
  const std::chrono::duration<double> seconds =
      std::chrono::steady_clock::now() - start;
  if (!score.ok()) {
    std::fprintf(stderr, "%s\n", score.status().ToString().c_str());
    return 1;
  }
  std::printf("score %.6f epochs %d seconds %.3f folds", score->score,
              score->epochs, seconds.count());
  for (const double one : score->of_fold) std::printf(" %.6f", one);
  std::printf("\n");
  return 0;
}
