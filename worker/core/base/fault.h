#pragma once

#include <string_view>

#include "absl/status/status.h"

namespace somafit {

// Places at which tests make a program die or wait, to prove that nothing is
// lost. Unless ArmFaults was called, a fault point costs one load.
//
// Server:
//   before_commit       a set of writes was decided, not yet submitted
//   draw_committed      a set with a drawn round was committed
//   leased              tasks were handed out, the reply was not sent
//   raw_file_written    a report's raw traces are on disk, no row names them
//   reported_not_told   results were committed, their round not yet ended
//   round_end           a round's end was committed
// Worker:
//   worker_mid_task        a task is being simulated
//   worker_before_report   a task was simulated, its report not sent
//   worker_after_report    its report was acknowledged
// Trainer:
//   trainer_mid_task       a task begins
//   trainer_after_checkpoint  the state of a training was acknowledged
//   trainer_before_report  a task was done, its report not sent
//   trainer_after_report   its report was acknowledged
void FaultPoint(std::string_view name);

// "name:mode:n,name2:mode:n": at the n-th time (from 1) that the point `name`
// is reached, `mode` happens:
//   crash      the process ends at once with status 137, as killed
//   delay      the thread waits one second
//   delay=MS   ... MS milliseconds
// InvalidArgument names what cannot be read. Call once, before other threads.
absl::Status ArmFaults(std::string_view text);

}  // namespace somafit
