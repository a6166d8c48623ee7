// From the outputs of a network to amplitudes and uncertainties, a tile of events at a time.
#pragma once

#include <algorithm>

#include "../../library/bundle.h"
#include "../../simd/elementary.h"
#include "dense.h"

namespace AMPCLI_SPACE::surrogate {

constexpr int MOST_RADIATIONS = 16;

// Uncertainties from the last outputs of a network, as ampcli/models/likelihood.py.
template <class Outputs>
void relative_sigmas(const Outputs& outputs, int place, int events, double deviation, double* relative) {
  constexpr float LEAST = -12, MOST = 4;  // ampcli.models.likelihood.LOG_SIGMA
  for (int event = 0; event < events; ++event) {
    const float log_sigma = outputs.row(event)[place];
    relative[event] = log_sigma < LEAST ? LEAST : log_sigma > MOST ? MOST : log_sigma;
  }
  simd::each(relative, events, [&](simd::Doubles x) { return deviation * simd::exponential(x); });
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

  // Of outputs and logs (events, radiations).
  template <class Outputs>
  void operator()(const Outputs& outputs, const double* logs, int events, double* amplitude, double* relative) const {
    for (int event = 0; event < events; ++event)
      amplitude[event] = deviation * outputs.row(event)[0] + (radiations ? logs[event * radiations] : 0);
    if (radiations > 1) add_terms(outputs, logs, events, amplitude);
    simd::each(amplitude, events, [&](simd::Doubles sum) { return simd::exponential(sum + mean); });
    relative_sigmas(outputs, coefficients(), events, deviation, relative);
  }

 private:
  // Adds to the logarithms of the first terms those of the others: ln sum exp, the largest term taken out.
  template <class Outputs>
  void add_terms(const Outputs& outputs, const double* logs, int events, double* sums) const {
    double largest[TILE], term[TILE], total[TILE];
    const auto of = [&](int event, int r) {
      return deviation * outputs.row(event)[r] + logs[event * radiations + r];
    };
    for (int event = 0; event < events; ++event) {
      largest[event] = sums[event], total[event] = 0;
      for (int r = 1; r < radiations; ++r) largest[event] = std::max(largest[event], of(event, r));
    }
    for (int r = 0; r < radiations; ++r) {
      for (int event = 0; event < events; ++event) term[event] = of(event, r) - largest[event];
      simd::each(term, events, simd::exponential);
      for (int event = 0; event < events; ++event) total[event] += term[event];
    }
    simd::each(total, events, simd::logarithm);
    for (int event = 0; event < events; ++event) sums[event] = largest[event] + total[event];
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

  // Of outputs and terms (events, terms).
  template <class Outputs>
  void operator()(const Outputs& outputs, const double* term, int events, double* amplitude, double* relative) const {
    constexpr float LARGEST = 30;  // ampcli.models.antenna.LARGEST
    for (int event = 0; event < events; ++event, term += terms) {
      const float* c = outputs.row(event);
      double sum = 0, grown[TILE];
      for (int first = 0; first < terms; first += TILE) {
        const int some = std::min(TILE, terms - first);
        for (int t = 0; t < some; ++t) grown[t] = std::clamp(c[first + t], -LARGEST, LARGEST);
        // 2 sinh; what cancels is below the rounding of single-precision outputs
        simd::each(grown, term + first, some, [](simd::Doubles x, simd::Doubles by) {
          const simd::Doubles power = simd::exponential(x);
          return (power - 1.0 / power) * by;
        });
        for (int t = 0; t < some; ++t) sum += grown[t];
      }
      amplitude[event] = scale * 0.5 * sum;
    }
    relative_sigmas(outputs, terms, events, deviation, relative);
  }
};

}  // namespace AMPCLI_SPACE::surrogate
