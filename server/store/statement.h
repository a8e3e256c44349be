#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include <sqlite3.h>

namespace somafit {

// A prepared statement. Parameters are bound and columns read in order: the
// first Bind after Reset binds ?1, the first Read after Step reads column 0.
class Statement {
 public:
  static absl::StatusOr<Statement> Prepare(sqlite3* db, const std::string& sql);

  // Text and bytes are copied.
  Statement& Bind(int64_t value);
  Statement& Bind(int32_t value) { return Bind(int64_t{value}); }
  Statement& BindReal(double value);  // NaN and infinities: NULL
  Statement& BindText(std::string_view text);
  Statement& BindBlob(std::string_view bytes);
  // The same without a copy: the bytes must stay until Run or Reset.
  Statement& BindKeptText(std::string_view text);
  Statement& BindKept(std::string_view bytes);
  Statement& BindNull();

  // Whether there is a row.
  absl::StatusOr<bool> Step();
  // Runs a statement without rows, and resets it.
  absl::Status Run();
  void Reset();

  int64_t ReadInteger();
  double ReadReal();  // NULL: NaN
  std::string ReadText();
  std::string ReadBlob();
  std::optional<int64_t> ReadOptionalInteger();

 private:
  struct Finalize {
    void operator()(sqlite3_stmt* statement) const {
      sqlite3_finalize(statement);
    }
  };
  explicit Statement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int parameter_ = 0;
  int column_ = 0;
  int bind_error_ = SQLITE_OK;
};

}  // namespace somafit
