#include "worker/sim/record.h"

#include <atomic>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/sim/points.h"
#include "worker/core/base/random.h"
#include "worker/core/ir/interpreter.h"
#include "worker/sim/batch.h"
#include "worker/sim/experiment.h"

namespace somafit {
namespace {

using testing::HasSubstr;

// The product p is used once in a step, and fused into it; with p observed it
// would be used twice, and the step rounded otherwise.
ModelSource Source() {
  return {
      "dv/dt = (I - v - w)/tau : 1\ndw/dt = (p - w)/tau : 1\n"
      "p = a*v : 1\nu = v*w + a : 1\ntau : second\na : 1",
      "",
      {},
      {{"v", "a"}}};
}

std::shared_ptr<Dataset> Data() {
  auto dataset = std::make_shared<Dataset>();
  dataset->inputs = {{"I", kNoDimension}};
  dataset->outputs = {{"v", kNoDimension}};
  RandomStream random(5, StreamPurpose::kExample, 0, 0);
  for (size_t i = 0; i < 3; ++i) {
    Trace trace;
    trace.dt = 1e-3;
    trace.inputs.resize(1);
    trace.targets.resize(1);
    for (size_t k = 0; k < 20 + 10 * i; ++k) {
      trace.inputs[0].push_back(random.Uniform());
      trace.targets[0].push_back(random.Uniform());
    }
    dataset->traces.push_back(std::move(trace));
  }
  return dataset;
}

Experiment Make(const std::shared_ptr<Dataset>& data,
                const std::vector<std::string>& recorded) {
  auto experiment =
      MakeRecordingExperiment(Source(), data, 1e-3, {"a", "tau"}, recorded);
  EXPECT_TRUE(experiment.ok()) << experiment.status();
  return *std::move(experiment);
}

TEST(RecordBatchTest, IsWhatTheInterpreterObserves) {
  const auto data = Data();
  const Experiment experiment = Make(data, {"u", "v", "a", "I"});
  const auto points = Points(40);
  const auto recordings = RecordBatch(experiment.program, *data, points, 2);
  ASSERT_TRUE(recordings.ok()) << recordings.status();
  ASSERT_EQ(recordings->size(), points.size());
  const RecordingShape shape = ShapeOf(*data, 4);
  EXPECT_EQ(shape.size(), 4 * (20 + 30 + 40));
  for (size_t i = 0; i < points.size(); ++i) {
    ASSERT_EQ((*recordings)[i].size(), shape.size());
    for (size_t t = 0; t < data->traces.size(); ++t) {
      TraceView view;
      view.n_steps = data->traces[t].n_steps();
      view.inputs = {data->traces[t].inputs[0]};
      ASSERT_TRUE(Interpret(
          experiment.program, view, 1, points[i],
          [&](size_t step, std::span<const double> outputs) {
            for (size_t o = 0; o < 4; ++o) {
              ASSERT_TRUE(SameBits(
                  outputs.subspan(o, 1),
                  shape.Series((*recordings)[i], t, o).subspan(step, 1)));
            }
          }));
      EXPECT_EQ(shape.Series((*recordings)[i], t, 2)[7], points[i][0]);
      EXPECT_TRUE(SameBits(shape.Series((*recordings)[i], t, 3),
                           data->traces[t].inputs[0]));
      EXPECT_EQ(shape.Series((*recordings)[i], t, 1)[0], points[i][0]);
    }
  }
}

TEST(RecordBatchTest, ARecordingDependsOnItsPointAlone) {
  const auto data = Data();
  const Experiment experiment = Make(data, {"v", "u"});
  const auto points = Points(71);
  const auto all = RecordBatch(experiment.program, *data, points, 1);
  ASSERT_TRUE(all.ok());
  for (int threads = 2; threads <= 4; ++threads) {
    const auto again = RecordBatch(experiment.program, *data, points, threads);
    ASSERT_TRUE(again.ok());
    EXPECT_EQ(*again, *all);
  }
  for (const size_t cut : {1, 5, 33}) {
    for (size_t first = 0; first < points.size(); first += cut) {
      const size_t n = std::min(cut, points.size() - first);
      const auto part = RecordBatch(experiment.program, *data,
                                    std::span(points).subspan(first, n), 2);
      ASSERT_TRUE(part.ok());
      for (size_t i = 0; i < n; ++i) EXPECT_EQ((*part)[i], (*all)[first + i]);
    }
  }
}

TEST(RecordBatchTest, StepsAsTheFitDoesWhateverElseIsRecorded) {
  const auto data = Data();
  const auto compared = MakeExperiment(Source(), data, 1e-3, {"a", "tau"}, {});
  ASSERT_TRUE(compared.ok());
  const auto points = Points(20);
  const auto plain = RecordBatch(compared->program, *data, points, 1);
  ASSERT_TRUE(plain.ok());
  const Experiment more = Make(data, {"u", "p", "v", "tau"});
  const auto beside = RecordBatch(more.program, *data, points, 1);
  ASSERT_TRUE(beside.ok());
  const Experiment alone = Make(data, {"p"});
  const auto single = RecordBatch(alone.program, *data, points, 1);
  ASSERT_TRUE(single.ok());
  const RecordingShape shape = ShapeOf(*data, 4), one = ShapeOf(*data, 1);
  // The test can fail: observing p in the usual way does change v.
  const auto usual = MakeProgram(Source(), data->inputs,
                                 {{"v", kNoDimension}, {"p", kNoDimension}},
                                 1e-3, {"a", "tau"});
  ASSERT_TRUE(usual.ok());
  const auto changed = RecordBatch(*usual, *data, points, 1);
  ASSERT_TRUE(changed.ok());
  const RecordingShape two = ShapeOf(*data, 2);
  bool differs = false;
  for (size_t i = 0; i < points.size(); ++i) {
    differs |= !SameBits(two.Series((*changed)[i], 2, 0),
                         one.Series((*plain)[i], 2, 0));
  }
  EXPECT_TRUE(differs);
  for (size_t i = 0; i < points.size(); ++i) {
    for (size_t t = 0; t < data->traces.size(); ++t) {
      const auto v = shape.Series((*beside)[i], t, 2);
      EXPECT_TRUE(SameBits(one.Series((*plain)[i], t, 0), v));
      EXPECT_TRUE(SameBits(one.Series((*single)[i], t, 0),
                           shape.Series((*beside)[i], t, 1)));
      for (size_t k = 0; k < v.size(); ++k) {
        EXPECT_EQ(shape.Series((*beside)[i], t, 1)[k], points[i][0] * v[k]);
      }
    }
  }
}

TEST(RecordBatchTest, DivergenceIsAValue) {
  const auto data = Data();
  const Experiment experiment = Make(data, {"v"});
  const std::vector<std::vector<double>> points = {{-1e300, 1e-3}, {1, 5e-3}};
  const auto recordings = RecordBatch(experiment.program, *data, points, 1);
  ASSERT_TRUE(recordings.ok());
  EXPECT_FALSE(std::isfinite((*recordings)[0].back()));
  for (const double v : (*recordings)[1]) EXPECT_TRUE(std::isfinite(v));
}

TEST(RecordBatchTest, StopsWhenCancelledAndRefusesWhatDoesNotFit) {
  const auto data = Data();
  const Experiment experiment = Make(data, {"v"});
  std::atomic<int> asked = 0;
  EXPECT_TRUE(absl::IsCancelled(
      RecordBatch(experiment.program, *data, Points(200), 3, [&] {
        return ++asked > 4;
      }).status()));
  const std::vector<std::vector<double>> points = {{1, 1e-3}, {1}};
  EXPECT_TRUE(absl::IsInvalidArgument(
      RecordBatch(experiment.program, *data, points, 1).status()));
  Dataset other = *data;
  other.traces[1].inputs.clear();
  EXPECT_THAT(std::string(RecordBatch(experiment.program, other, Points(1), 1)
                              .status()
                              .message()),
              HasSubstr("trace 1 has 0 input signals"));
  EXPECT_TRUE(RecordBatch(experiment.program, *data, {}, 4)->empty());
}

TEST(MakeRecordingExperimentTest, NamesWhatThereIs) {
  for (const char* name : {"vv", "El", "t", "volt", ""}) {
    const auto refused = MakeRecordingExperiment(Source(), Data(), 1e-3,
                                                 {"a", "tau"}, {"v", name});
    ASSERT_TRUE(absl::IsInvalidArgument(refused.status())) << name;
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr(std::string("no variable \"") + name + "\""));
    EXPECT_THAT(std::string(refused.status().message()),
                HasSubstr("Known are: v, w, p, u, tau, a, I."));
  }
  const auto near =
      MakeRecordingExperiment(Source(), Data(), 1e-3, {"a", "tau"}, {"taus"});
  EXPECT_THAT(std::string(near.status().message()),
              HasSubstr("Did you mean \"tau\"?"));
}

}  // namespace
}  // namespace somafit
