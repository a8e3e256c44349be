#pragma once

#include <cstdio>
#include <cstdlib>

// Stops the program: for bugs of ours, never for what a person or a peer sent.
#define SOMAFIT_CHECK(condition)                                            \
  do {                                                                      \
    if (!(condition)) [[unlikely]] {                                        \
      std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, \
                   #condition);                                             \
      std::abort();                                                         \
    }                                                                       \
  } while (false)
