// Amplitudes of events with libampcli.
//
//   ampcli export "d d~ > z g g" zgg
//   g++ main.cpp -Izgg -Lzgg -lampcli -Wl,-rpath,'$ORIGIN/zgg' -o amplitudes
//   ./amplitudes zgg/model.bundle < ../zgg.txt
//
// Each event is one line for each leg, incoming ones first: E px py pz in GeV.
#include <cstdio>
#include <iostream>
#include <vector>

#include "ampcli.h"

namespace {

int failed() {
  std::cerr << ampcli_last_error() << '\n';
  return 1;
}

}  // namespace

int main(int arguments, char** words) {
  if (arguments != 2) return std::cerr << "usage: amplitudes MODEL.bundle < EVENTS\n", 2;
  ampcli_model* model;
  if (ampcli_open(words[1], &model)) return failed();

  ampcli_model_info info;
  if (ampcli_info(model, &info)) return failed();
  std::printf("# %s (%s, %s), alpha_s = %g\n", info.process, info.kind, info.instructions, info.alpha_s);

  std::vector<double> momenta;
  for (double x; std::cin >> x;) momenta.push_back(x);
  const std::int64_t events = std::int64_t(momenta.size()) / (4 * info.legs);

  std::vector<double> amplitude(events), uncertainty(events);
  std::vector<std::uint32_t> flags(events);
  if (ampcli_evaluate(model, events, momenta.data(), nullptr, amplitude.data(), uncertainty.data(), flags.data()))
    return failed();
  for (std::int64_t i = 0; i < events; ++i) {
    if (flags[i] & AMPCLI_NOT_PHYSICAL)
      std::printf("not physical\n");
    else
      std::printf("%.16e +- %.2e%s\n", amplitude[i], uncertainty[i] * amplitude[i],
                  flags[i] & AMPCLI_OUTSIDE ? " outside of what the model was trained on" : "");
  }
  ampcli_close(model);
}
