#include "server/store/statement.h"

#include <cmath>
#include <limits>

#include "absl/strings/str_cat.h"

#include "server/store/database.h"

namespace somafit {

absl::StatusOr<SqlStatement> SqlStatement::Prepare(sqlite3* db,
                                                   const std::string& sql) {
  sqlite3_stmt* raw = nullptr;
  const int rc =
      sqlite3_prepare_v3(db, sql.c_str(), static_cast<int>(sql.size() + 1),
                         SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  SqlStatement statement(raw);
  if (rc != SQLITE_OK) return DatabaseError(db, sql.substr(0, 200));
  return statement;
}

SqlStatement& SqlStatement::Bind(int64_t value) {
  bind_error_ |= sqlite3_bind_int64(statement_.get(), ++parameter_, value);
  return *this;
}

SqlStatement& SqlStatement::BindReal(double value) {
  if (!std::isfinite(value)) return BindNull();
  bind_error_ |= sqlite3_bind_double(statement_.get(), ++parameter_, value);
  return *this;
}

SqlStatement& SqlStatement::BindText(std::string_view text) {
  // A null pointer would bind NULL.
  bind_error_ |= sqlite3_bind_text64(
      statement_.get(), ++parameter_, text.data() ? text.data() : "",
      text.size(), SQLITE_TRANSIENT, SQLITE_UTF8);
  return *this;
}

SqlStatement& SqlStatement::BindBlob(std::string_view bytes) {
  bind_error_ |= sqlite3_bind_blob64(statement_.get(), ++parameter_,
                                     bytes.data() ? bytes.data() : "",
                                     bytes.size(), SQLITE_TRANSIENT);
  return *this;
}

SqlStatement& SqlStatement::BindKeptText(std::string_view text) {
  bind_error_ |= sqlite3_bind_text64(statement_.get(), ++parameter_,
                                     text.data() ? text.data() : "",
                                     text.size(), SQLITE_STATIC, SQLITE_UTF8);
  return *this;
}

SqlStatement& SqlStatement::BindKept(std::string_view bytes) {
  bind_error_ |= sqlite3_bind_blob64(statement_.get(), ++parameter_,
                                     bytes.data() ? bytes.data() : "",
                                     bytes.size(), SQLITE_STATIC);
  return *this;
}

SqlStatement& SqlStatement::BindNull() {
  bind_error_ |= sqlite3_bind_null(statement_.get(), ++parameter_);
  return *this;
}

absl::StatusOr<bool> SqlStatement::Step() {
  sqlite3* const db = sqlite3_db_handle(statement_.get());
  column_ = 0;
  if (bind_error_ != SQLITE_OK) {
    return absl::InternalError(
        absl::StrCat("database: a value could not be bound (", bind_error_,
                     ") in: ", sqlite3_sql(statement_.get())));
  }
  switch (sqlite3_step(statement_.get())) {
    case SQLITE_ROW:
      return true;
    case SQLITE_DONE:
      return false;
    default:
      return DatabaseError(db, sqlite3_sql(statement_.get()));
  }
}

absl::Status SqlStatement::Run() {
  const absl::Status status = Step().status();
  Reset();
  return status;
}

void SqlStatement::Reset() {
  sqlite3_reset(statement_.get());
  parameter_ = 0;
  column_ = 0;
  bind_error_ = SQLITE_OK;
}

int64_t SqlStatement::ReadInteger() {
  return sqlite3_column_int64(statement_.get(), column_++);
}

double SqlStatement::ReadReal() {
  const int column = column_++;
  if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return sqlite3_column_double(statement_.get(), column);
}

std::string SqlStatement::ReadText() {
  const int column = column_++;
  const unsigned char* const text =
      sqlite3_column_text(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return text == nullptr ? std::string()
                         : std::string(reinterpret_cast<const char*>(text),
                                       static_cast<size_t>(size));
}

std::string SqlStatement::ReadBlob() {
  const int column = column_++;
  const void* const bytes = sqlite3_column_blob(statement_.get(), column);
  const int size = sqlite3_column_bytes(statement_.get(), column);
  return bytes == nullptr ? std::string()
                          : std::string(static_cast<const char*>(bytes),
                                        static_cast<size_t>(size));
}

std::optional<int64_t> SqlStatement::ReadOptionalInteger() {
  if (sqlite3_column_type(statement_.get(), column_) == SQLITE_NULL) {
    ++column_;
    return std::nullopt;
  }
  return ReadInteger();
}

}  // namespace somafit
