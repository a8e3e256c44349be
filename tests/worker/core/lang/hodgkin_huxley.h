#pragma once

#include <string>

#include "worker/core/lang/model.h"

namespace somafit {

// The Hodgkin-Huxley model that the tests of the language read: rates in both
// common forms, two lines of comments, a formula over several lines.
inline const char kHodgkinHuxley[] = R"(# Traub and Miles
dv/dt = (gl*(El-v) - g_na*(m*m*m)*h*(v-ENa)   # leak, sodium
         - g_kd*(n*n*n*n)*(v-EK) + I)/Cm : volt
dm/dt = alpha_m*(1-m) - beta_m*m : 1
dn/dt = alpha_n*(1-n) - beta_n*n : 1
dh/dt = alpha_h*(1-h) - beta_h*h : 1
alpha_m = 0.32*(mV**-1)*4*mV/exprel((13*mV-v+VT)/(4*mV))/ms : Hz
beta_m = 0.28*(mV**-1)*5*mV/exprel((v-VT-40*mV)/(5*mV))/ms : Hz
alpha_n = (0.032*(15*mV-v+VT)/mV)/(exp((15*mV-v+VT)/(5*mV))-1)/ms : Hz
beta_n = 0.5*exp((10*mV-v+VT)/(40*mV))/ms : Hz
alpha_h = 0.128*exp((17*mV-v+VT)/(18*mV))/ms : Hz
beta_h = 4/(1+exp((40*mV-v+VT)/(5*mV)))/ms : Hz
g_na : siemens (constant)
g_kd : siemens (constant)
gl : siemens (constant)
)";

inline ModelSource HodgkinHuxleySource() {
  ModelSource source;
  source.equations = kHodgkinHuxley;
  source.method = "exponential_euler";
  source.constants = {{"area", "20000*umetre**2"},
                      {"Cm", "1*ufarad*cm**-2*area"},
                      {"El", "-65*mV"},
                      {"EK", "-90*mV"},
                      {"ENa", "50*mV"},
                      {"VT", "-63*mV"}};
  source.initial_values = {{"v", "El"}};
  return source;
}

inline std::vector<Channel> HodgkinHuxleyInputs() {
  return {{"I", Dimension({0, 0, 0, 1, 0, 0, 0})}};
}
inline std::vector<Channel> HodgkinHuxleyOutputs() {
  return {{"v", Dimension({2, 1, -3, -1, 0, 0, 0})}};
}

}  // namespace somafit
