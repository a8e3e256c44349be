#pragma once

#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

// What Debian's abseil lacks. To be deleted when absl/status/status_macros.h
// arrives.

#define SOMAFIT_CONCAT_INNER(a, b) a##b
#define SOMAFIT_CONCAT(a, b) SOMAFIT_CONCAT_INNER(a, b)

#define SOMAFIT_RETURN_IF_ERROR(expression)                                   \
  do {                                                                        \
    if (absl::Status somafit_status_ = (expression); !somafit_status_.ok()) { \
      return somafit_status_;                                                 \
    }                                                                         \
  } while (false)

#define SOMAFIT_ASSIGN_OR_RETURN(target, expression)                          \
  SOMAFIT_ASSIGN_OR_RETURN_IMPL(SOMAFIT_CONCAT(somafit_status_or_, __LINE__), \
                                target, expression)

#define SOMAFIT_ASSIGN_OR_RETURN_IMPL(result, target, expression) \
  auto result = (expression);                                     \
  if (!result.ok()) return result.status();                       \
  target = *std::move(result)

namespace somafit {

// Calls `body`, which calls a library that throws, and turns what it throws
// into a Status. The catch blocks of this project are here.
template <typename Body>
absl::Status CatchAsStatus(std::string_view library, Body&& body) {
  try {
    return std::forward<Body>(body)();
  } catch (const std::bad_alloc&) {
    return absl::ResourceExhaustedError(std::string(library) +
                                        ": out of memory");
  } catch (const std::exception& e) {
    return absl::InternalError(std::string(library) + ": " + e.what());
  }
}

}  // namespace somafit
