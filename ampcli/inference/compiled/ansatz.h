// From the outputs of a network to the amplitude and its uncertainty: one event at a time.
#pragma once

#include <algorithm>
#include <cmath>

#include "../../library/bundle.h"

namespace AMPCLI_SPACE::surrogate {

// An uncertainty from the last output of a network, as ampcli/models/likelihood.py.
inline double relative_sigma(double log_sigma, double deviation) {
  constexpr double LEAST = -12, MOST = 4;  // ampcli.models.likelihood.LOG_SIGMA
  return deviation * std::exp(log_sigma < LEAST ? LEAST : log_sigma > MOST ? MOST : log_sigma);
}

// ln|M|^2 = ln sum_r c_r F_r |M_reduced,r|^2 (Amplitude Surrogates, Eqs. 10 to 13), as ampcli/models/factorised.py.
struct Factorised {
  int radiations;
  double mean, deviation;

  bool open(const Folder& folder, Error& error) {
    const double* correction = nullptr;
    if (!folder.array("correction", &correction, {2}, error)) return false;
    mean = correction[0], deviation = correction[1];
    return true;
  }

  int coefficients() const { return std::max(radiations, 1); }

  void operator()(const float* outputs, const double* logs, double& amplitude, double& relative) const {
    const double sum =
        radiations > 1 ? log_sum_exp(outputs, logs) : deviation * outputs[0] + (radiations ? logs[0] : 0);
    amplitude = std::exp(sum + mean);
    relative = relative_sigma(outputs[coefficients()], deviation);
  }

 private:
  double log_sum_exp(const float* outputs, const double* logs) const {
    const auto term = [&](int r) { return deviation * outputs[r] + logs[r]; };
    double largest = term(0), sum = 0;
    for (int r = 1; r < radiations; ++r) largest = std::max(largest, term(r));
    for (int r = 0; r < radiations; ++r) sum += std::exp(term(r) - largest);
    return largest + std::log(sum);
  }
};

// |M|^2 = S_coef sum sinh(c) term, as ampcli/models/antenna.py.
struct StringSum {
  int terms;
  double scale, deviation;

  static bool there(const Folder& folder) { return folder.has("antenna/scales"); }

  bool open(const Folder& folder, Error& error) {
    const double* scales = nullptr;
    if (terms < 1) return error.is("an ansatz of antennae, and no antennae");
    if (!folder.array("antenna/scales", &scales, {2}, error)) return false;
    scale = scales[0], deviation = scales[1];
    return true;
  }

  int coefficients() const { return terms; }

  void operator()(const float* outputs, const double* term, double& amplitude, double& relative) const {
    constexpr double LARGEST = 30;  // ampcli.models.antenna.LARGEST
    double sum = 0;
    for (int t = 0; t < terms; ++t) {
      const double c = outputs[t], grown = std::exp(c < -LARGEST ? -LARGEST : c > LARGEST ? LARGEST : c);
      sum += (grown - 1 / grown) * term[t];  // 2 sinh; what cancels is below the rounding of single-precision outputs
    }
    amplitude = scale * 0.5 * sum;
    relative = relative_sigma(outputs[terms], deviation);
  }
};

}  // namespace AMPCLI_SPACE::surrogate
