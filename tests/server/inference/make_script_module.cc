// Writes a TorchScript module for tests of whole programs:
//
//   make_script_module N_IN N_OUT FILE
//
// takes rows of N_IN numbers to N_OUT, by weights that can be trained.
#include <cstdlib>
#include <fstream>
#include <iostream>

#include "tests/server/inference/script_module.h"

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: make_script_module N_IN N_OUT FILE\n";
    return 2;
  }
  std::ofstream file(argv[3], std::ios::binary);
  file << somafit::LinearModule(std::atoll(argv[1]), std::atoll(argv[2]));
  file.close();
  return file ? 0 : 1;
}
