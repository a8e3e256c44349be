#include "worker/core/base/fault.h"

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"

namespace somafit {
namespace {

struct Fault {
  std::string name;
  int delay_ms = -1;  // -1: crash
  int64_t at = 1;
  std::atomic<int64_t> hits{0};
};

std::atomic<bool> armed{false};

std::vector<std::unique_ptr<Fault>>& Faults() {
  static auto& faults = *new std::vector<std::unique_ptr<Fault>>;
  return faults;
}

}  // namespace

void FaultPoint(std::string_view name) {
  if (!armed.load(std::memory_order_acquire)) return;
  for (const auto& fault : Faults()) {
    if (fault->name != name || ++fault->hits != fault->at) continue;
    if (fault->delay_ms < 0) ::_exit(137);
    std::this_thread::sleep_for(std::chrono::milliseconds(fault->delay_ms));
  }
}

absl::Status ArmFaults(std::string_view text) {
  const std::string all(text);
  for (const std::string& entry :
       std::vector<std::string>(absl::StrSplit(all, ',', absl::SkipEmpty()))) {
    const std::vector<std::string> parts = absl::StrSplit(entry, ':');
    auto fault = std::make_unique<Fault>();
    bool readable = parts.size() == 3 && !parts[0].empty() &&
                    absl::SimpleAtoi(parts[2], &fault->at) && fault->at >= 1;
    if (readable) {
      fault->name = parts[0];
      absl::string_view mode = parts[1];
      if (absl::ConsumePrefix(&mode, "delay=")) {
        readable = absl::SimpleAtoi(mode, &fault->delay_ms) &&
                   fault->delay_ms >= 0 && fault->delay_ms <= 600'000;
      } else if (mode == "delay") {
        fault->delay_ms = 1000;
      } else {
        readable = mode == "crash";
      }
    }
    if (!readable) {
      return absl::InvalidArgumentError(
          absl::StrCat("fault \"", entry,
                       "\" is not of the form name:crash:n or "
                       "name:delay=MS:n with n from 1"));
    }
    Faults().push_back(std::move(fault));
  }
  armed.store(!Faults().empty(), std::memory_order_release);
  return absl::OkStatus();
}

}  // namespace somafit
