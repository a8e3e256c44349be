#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>

#include <gtest/gtest.h>

#include "server/study/store.h"

namespace somafit {

// A kind of store: `open` opens what lies at `path`, making it at first.
struct StoreCase {
  std::string name;
  std::function<std::unique_ptr<Store>(const std::string& path)> open;
  friend void PrintTo(const StoreCase& c, std::ostream* out) { *out << c.name; }
};

// What every store must do: INSTANTIATE_TEST_SUITE_P with its case.
class StoreSuite : public ::testing::TestWithParam<StoreCase> {
 protected:
  void SetUp() override;
  void TearDown() override;

  void Open() { store_ = GetParam().open(folder_ + "/store.db"); }
  void Reopen() {
    store_.reset();
    Open();
  }
  // Submits and waits until it is durable.
  void Commit(WriteSet writes);

  std::string folder_;
  std::unique_ptr<Store> store_;
};

}  // namespace somafit
