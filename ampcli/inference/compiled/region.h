// Which events a trained model takes, and which lie outside of its training: ampcli/kinematics.py and
// ampcli/uncertainty/certificate.py in C++.
#pragma once

#include <cmath>
#include <cstdint>

#include "../../features/compiled/radiation.h"
#include "../../library/bundle.h"

namespace AMPCLI_SPACE::surrogate {

// The frame and the precision of momenta (legs, 4) in GeV, incoming first.
class Events {
 public:
  bool open(const Folder& folder, int legs, Error& error) {
    legs_ = legs;
    return folder.array("masses", &masses_, {legs}, error) && folder.number("sqrt_s", sqrt_s_, error);
  }

  // As `Predictor.predict` asks: on shell, conserved, beams along z, at rest where all training points were.
  bool physical(const double* p) const {
    double sums[4] = {}, energies = 0;
    for (int leg = 0; leg < legs_; ++leg, p += 4) {
      const double energy = p[0], momentum2 = p[1] * p[1] + p[2] * p[2] + p[3] * p[3];
      if (!(energy > 0) || !(energy * energy + momentum2 < INFINITY)) return false;
      if (!(std::fabs(energy * energy - momentum2 - masses_[leg] * masses_[leg]) <= TOLERANCE * energy * energy))
        return false;
      for (int i = 0; i < 4; ++i) sums[i] += leg < 2 ? -p[i] : p[i];
      energies += energy;
    }
    p -= 4 * legs_;
    if (!(largest(sums) <= TOLERANCE * energies) || !along_z(p)) return false;
    return !(sqrt_s_ > 0) || at_rest(p);
  }

 private:
  static constexpr double TOLERANCE = 1e-8, ENERGY = 1e-6;  // ampcli.kinematics

  static double largest(const double* four) {
    double size = 0;
    for (int i = 0; i < 4; ++i) size = std::fabs(four[i]) > size ? std::fabs(four[i]) : size;
    return size;
  }

  static bool along_z(const double* p) {
    const double crosswise[4] = {p[1], p[2], p[5], p[6]}, limit = TOLERANCE * (p[0] + p[4]);
    return largest(crosswise) <= limit && std::fabs(p[0] - p[3]) + std::fabs(p[4] + p[7]) <= limit;
  }

  bool at_rest(const double* p) const {
    double total[4] = {-sqrt_s_, 0, 0, 0};
    for (int leg = 2; leg < legs_; ++leg)
      for (int i = 0; i < 4; ++i) total[i] += p[4 * leg + i];
    return largest(total) <= ENERGY * sqrt_s_;
  }

  int legs_ = 0;
  const double* masses_ = nullptr;
  double sqrt_s_ = 0;
};

// The training's cuts on events, and the largest relative uncertainty that is usual; each may be absent.
class Region {
 public:
  bool open(const Folder& folder, int legs, Error& error) {
    legs_ = legs;
    if (folder.has("least_sij") && !folder.number("least_sij", least_sij_, error)) return false;
    if (folder.has("spread") && !folder.array("spread", &spread_, {}, error)) return false;
    if (!folder.has("cuts")) return true;
    std::int64_t jets[1] = {0};
    if (!folder.array("cuts", &cuts_, {3}, error) || !folder.array("jets", &jets_, {-1}, error, jets)) return false;
    if (jets[0] > radiation::MAX_LEGS) return error.is("more jets than legs");
    count_ = int(jets[0]);
    for (int n = 0; n < count_; ++n)
      if (jets_[n] < 2 || jets_[n] >= legs) return error.is("a jet that is no outgoing leg");
    return true;
  }

  // Of momenta (legs, 4) and the relative uncertainty predicted for them.
  bool outside(const double* p, double relative) const {
    if (spread_ && !(relative <= *spread_)) return true;  // and where it is not known
    return (least_sij_ > 0 && least_invariant(p) < least_sij_) || (cuts_ && !passed(p));
  }

 private:
  double least_invariant(const double* p) const {
    double least = INFINITY;
    for (int a = 2; a < legs_; ++a)
      for (int b = 2; b < a; ++b) {
        const double *q = p + 4 * a, *k = p + 4 * b;
        const double product = 2 * radiation::massless_product({q[0], q[1], q[2], q[3]}, {k[0], k[1], k[2], k[3]});
        least = product < least ? product : least;
      }
    return least;
  }

  // pT, |eta| and Delta R of jets (ampcli.phasespace.cuts).
  bool passed(const double* p) const {
    double eta[radiation::MAX_LEGS], phi[radiation::MAX_LEGS], x[radiation::MAX_LEGS];
    for (int n = 0; n < count_; ++n) {
      const double* q = p + 4 * jets_[n];
      const double pt = std::sqrt(q[1] * q[1] + q[2] * q[2]);
      if (!(pt > cuts_[0])) return false;
      eta[n] = q[3] / pt, phi[n] = q[2], x[n] = q[1];
    }
    radiation::take_asinhs(eta, count_);
    radiation::take_angles(phi, x, count_);
    for (int n = 0; n < count_; ++n) {
      if (!(std::fabs(eta[n]) < cuts_[1])) return false;
      for (int m = 0; m < n; ++m) {
        double apart = std::fabs(phi[n] - phi[m]);
        if (apart > radiation::PI) apart = 2 * radiation::PI - apart;
        if (!(radiation::square(eta[n] - eta[m]) + apart * apart > cuts_[2] * cuts_[2])) return false;
      }
    }
    return true;
  }

  int legs_ = 0, count_ = 0;
  double least_sij_ = 0;
  const double *spread_ = nullptr, *cuts_ = nullptr;  // of pT in GeV, |eta|, Delta R
  const std::int32_t* jets_ = nullptr;
};

}  // namespace AMPCLI_SPACE::surrogate
