#include "tests/support/published_hh.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "worker/core/base/number.h"

namespace somafit {
namespace {

// Rows of a table with a header line and an index column, times `scale`.
std::optional<std::vector<std::vector<double>>> ReadRows(
    const std::string& path, double scale) {
  std::ifstream file(path);
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  std::vector<std::vector<double>> rows;
  while (std::getline(file, line)) {
    std::istringstream cells(line);
    std::string cell;
    std::getline(cells, cell, ',');
    std::vector<double>& row = rows.emplace_back();
    while (std::getline(cells, cell, ',')) {
      const std::optional<double> value = ReadNumber(cell);
      if (!value.has_value()) return std::nullopt;
      row.push_back(*value * scale);
    }
  }
  return rows;
}

}  // namespace

std::optional<Dataset> ReadPublishedRecordings() {
  const char* shared = std::getenv("SOMAFIT_SHARED");
  const std::string folder =
      (shared != nullptr ? std::string(shared) : "../shared") + "/data/hh/";
  const auto inputs = ReadRows(folder + "input_traces_hh.csv", 1);
  const auto outputs = ReadRows(folder + "output_traces_hh.csv", 1e-3);
  if (!inputs || !outputs || inputs->size() != outputs->size()) {
    return std::nullopt;
  }
  Dataset dataset;
  dataset.inputs = {{"I", Dimension({0, 0, 0, 1, 0, 0, 0})}};
  dataset.outputs = {{"v", Dimension({2, 1, -3, -1, 0, 0, 0})}};
  for (size_t i = 0; i < inputs->size(); ++i) {
    dataset.traces.push_back(
        {kPublishedDt, 1, {(*inputs)[i]}, {(*outputs)[i]}});
  }
  return dataset;
}

ModelSource PublishedModel(bool free_capacitance, const std::string& v0) {
  ModelSource source;
  source.equations = R"(
    dv/dt = (gl*(El - v) - g_na*(m*m*m)*h*(v - ENa)
             - g_kd*(n*n*n*n)*(v - EK) + I)/Cm : volt
    dm/dt = alpham*(1 - m) - betam*m : 1
    dn/dt = alphan*(1 - n) - betan*n : 1
    dh/dt = alphah*(1 - h) - betah*h : 1
    alpham = 0.32*4/exprel((13*mV - v + VT)/(4*mV))/ms : Hz
    betam = 0.28*5/exprel((v - VT - 40*mV)/(5*mV))/ms : Hz
    alphah = 0.128*exp((17*mV - v + VT)/(18*mV))/ms : Hz
    betah = 4/(1 + exp((40*mV - v + VT)/(5*mV)))/ms : Hz
    alphan = 0.032*5/exprel((15*mV - v + VT)/(5*mV))/ms : Hz
    betan = 0.5*exp((10*mV - v + VT)/(40*mV))/ms : Hz
    gl : siemens
    g_na : siemens
    g_kd : siemens
  )";
  source.method = "exponential_euler";
  source.constants = {
      {"El", "-65*mV"}, {"EK", "-90*mV"}, {"ENa", "50*mV"}, {"VT", "-63*mV"}};
  if (free_capacitance) {
    source.equations += "Cm : farad\n";
  } else {
    source.constants.push_back({"Cm", "200*pF"});
  }
  source.initial_values = {{"v", v0}};
  return source;
}

}  // namespace somafit
