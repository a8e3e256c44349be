#include "worker/core/lang/timed_array_call.h"

#include "absl/strings/str_cat.h"

#include "worker/core/units/unit.h"

namespace somafit {
namespace {

void CheckColumn(const TimedArray& array, const TimedArrayArgument& column,
                 std::vector<ArgumentMistake>& mistakes) {
  const std::string subject =
      absl::StrCat("the column ", column.text, " of `", array.name, "` ");
  if (!column.dimension.IsNone()) {
    mistakes.push_back({"E_DIM",
                        absl::StrCat(subject, "has the unit ",
                                     ReadableDimension(column.dimension),
                                     ", it must be a plain integer"),
                        ""});
  } else if (column.type != ValueType::kInteger) {
    mistakes.push_back({"E_TYPE", absl::StrCat(subject, "is no integer"),
                        "wrap it in int(...)"});
  } else if (column.value &&
             !(*column.value >= 0 &&
               *column.value < static_cast<double>(array.columns))) {
    mistakes.push_back(
        {"E_INPUT", absl::StrCat(subject, "does not exist"),
         absl::StrCat("the columns are 0 to ", array.columns - 1)});
  }
}

}  // namespace

std::vector<ArgumentMistake> FindArgumentMistakes(
    const TimedArray& array, const std::vector<TimedArrayArgument>& arguments) {
  std::vector<ArgumentMistake> mistakes;
  const TimedArrayArgument& time = arguments[0];
  if (!(time.dimension == kTimeDimension)) {
    mistakes.push_back(
        {"E_DIM",
         absl::StrCat("`", array.name, "` is a function of time, but ",
                      time.text, " has the unit ",
                      ReadableDimension(time.dimension)),
         ""});
  }
  if (arguments.size() > 1) CheckColumn(array, arguments[1], mistakes);
  return mistakes;
}

std::string HintForCall(const std::string& name, const TimedArray* array) {
  const bool columns = array != nullptr && array->columns > 0;
  return absl::StrCat("write `", name, columns ? "(t, column)`" : "(t)`");
}

}  // namespace somafit
