#include "client/cli/installation.h"

#include <filesystem>
#include <system_error>

#include "absl/strings/str_cat.h"

namespace somafit {

absl::StatusOr<std::string> ProgramBeside(const std::string& name) {
  std::error_code error;
  const std::filesystem::path self =
      std::filesystem::read_symlink("/proc/self/exe", error);
  if (error) {
    return absl::InternalError(
        absl::StrCat("cannot find my own program: ", error.message()));
  }
  return (self.parent_path() / name).string();
}

}  // namespace somafit
