#include "client/cli/progress.h"

#include <algorithm>
#include <cstdio>
#include <sys/ioctl.h>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "client/cli/arguments.h"
#include "client/lib/display.h"

namespace somafit {
namespace {

constexpr int kBarCells = 20;

size_t TerminalWidth() {
  winsize size = {};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0) {
    return 79;
  }
  return size.ws_col - 1;
}

}  // namespace

Progress::Progress(const v1::Fit& fit, bool terminal)
    : fit_(fit),
      terminal_(terminal),
      start_(std::chrono::steady_clock::now()),
      rounds_(fit.rounds()),
      samples_(fit.samples_done()) {
  if (fit.has_best_sample()) {
    best_ = QuantityText(fit.best_error(), fit.total_error());
  }
  phase_ = fit.phase();
}

void Progress::OnRound(const v1::RoundEvent& round) {
  const std::lock_guard lock(mutex_);
  rounds_ = round.round() + 1;
  samples_ += round.samples().sample_size();
  if (round.has_training()) {
    best_ = absl::StrCat(NumberText(round.training().best_validation_loss()),
                         " nats");
  } else if (!IsInference(fit_) && round.best_sample() >= 0) {
    best_ = QuantityText(round.best_error(), fit_.total_error());
  }
  if (terminal_) {
    Draw();
  } else {
    Write(absl::StrCat(RoundText(fit_, round), "\n"));
  }
}

void Progress::OnPhase(const std::string& phase) {
  const std::lock_guard lock(mutex_);
  phase_ = phase;
}

void Progress::Tick() {
  const std::lock_guard lock(mutex_);
  if (terminal_) Draw();
}

bool Progress::IsRead() const {
  const std::lock_guard lock(mutex_);
  return printed_.ok();
}

void Progress::Write(absl::string_view text) {
  if (printed_.ok()) printed_ = Print(text);
  if (printed_.ok()) printed_ = Print("");
}

void Progress::End() {
  const std::lock_guard lock(mutex_);
  if (drawn_) Write("\n");
  drawn_ = false;
}

std::string Progress::Line(double elapsed_s, size_t width) const {
  const v1::StopSpec& stop = fit_.spec().stop();
  std::string line;
  double share = -1;
  if (stop.has_rounds()) {
    share = static_cast<double>(rounds_) / std::max<int64_t>(1, stop.rounds());
  }
  if (stop.has_evaluations()) {
    share = std::max(share, static_cast<double>(samples_) /
                                std::max<int64_t>(1, stop.evaluations()));
  }
  if (share >= 0) {
    const int full = static_cast<int>(std::min(share, 1.0) * kBarCells);
    line = absl::StrCat("[", std::string(full, '#'),
                        std::string(kBarCells - full, '-'), "] ");
  }
  absl::StrAppend(&line, rounds_);
  if (stop.has_rounds()) absl::StrAppend(&line, "/", stop.rounds());
  absl::StrAppend(&line, " rounds  ", samples_);
  if (stop.has_evaluations()) absl::StrAppend(&line, "/", stop.evaluations());
  absl::StrAppend(&line, " samples  ", DurationText(elapsed_s));
  if (!best_.empty()) {
    absl::StrAppend(&line, IsInference(fit_) ? "  loss " : "  best ", best_);
  }
  if (!phase_.empty()) absl::StrAppend(&line, "  ", phase_);
  return line.substr(0, width);
}

void Progress::Draw() {
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start_)
          .count();
  Write(absl::StrCat("\r", Line(elapsed, TerminalWidth()), "\x1b[K"));
  drawn_ = true;
}

}  // namespace somafit
