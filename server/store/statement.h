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
class SqlStatement {
 public:
  static absl::StatusOr<SqlStatement> Prepare(sqlite3* db,
                                              const std::string& sql);

  // Text and bytes are copied.
  SqlStatement& Bind(int64_t value);
  SqlStatement& Bind(int32_t value) { return Bind(int64_t{value}); }
  SqlStatement& BindReal(double value);  // NaN and infinities: NULL
  SqlStatement& BindText(std::string_view text);
  SqlStatement& BindBlob(std::string_view bytes);
  // The same without a copy: the bytes must stay until Run or Reset.
  SqlStatement& BindKeptText(std::string_view text);
  SqlStatement& BindKept(std::string_view bytes);
  SqlStatement& BindNull();

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
  explicit SqlStatement(sqlite3_stmt* statement) : statement_(statement) {}

  std::unique_ptr<sqlite3_stmt, Finalize> statement_;
  int parameter_ = 0;
  int column_ = 0;
  int bind_error_ = SQLITE_OK;
};

}  // namespace somafit
