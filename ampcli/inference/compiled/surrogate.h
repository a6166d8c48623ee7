// A trained model: its networks, how they are combined, and how honest its uncertainties are
// (ampcli/inference/predictor.py; `surrogate_content` of ampcli/library/surrogates.py says what a bundle holds of it).
#pragma once

#include <cfloat>
#include <cstdio>

#include "member.h"

namespace AMPCLI_SPACE::surrogate {

constexpr int MOST_MEMBERS = 64;

// Factors on predicted relative uncertainties (ampcli/uncertainty/recalibration.py); without knots, 1.
class Recalibration {
 public:
  bool open(const Folder& folder, Error& error) {
    std::int64_t knots[1] = {0};
    if (!folder.has("log_sigma")) return true;
    if (!folder.array("log_sigma", &knots_, {-1}, error, knots) ||
        !folder.array("log_scale", &scales_, {knots[0]}, error))
      return false;
    count_ = knots[0];
    for (std::int64_t i = 0; i < count_; ++i)
      if (!std::isfinite(scales_[i]) || !std::isfinite(knots_[i]) || (i > 0 && !(knots_[i - 1] < knots_[i])))
        return error.is("the knots of a recalibration do not ascend");
    return count_ > 0 || error.is("a recalibration without knots");
  }

  double operator()(double relative) const {
    if (count_ == 0) return relative;
    if (count_ == 1) return relative * std::exp(scales_[0]);
    const double log = std::log(relative < TINY ? TINY : relative);
    std::int64_t right = 1;
    while (right + 1 < count_ && knots_[right] < log) ++right;
    double fraction = (log - knots_[right - 1]) / (knots_[right] - knots_[right - 1]);
    fraction = fraction < 0 ? 0 : fraction > 1 ? 1 : fraction;
    return relative * std::exp(scales_[right - 1] + fraction * (scales_[right] - scales_[right - 1]));
  }

 private:
  static constexpr double TINY = 1e-100;

  std::int64_t count_ = 0;
  const double *knots_ = nullptr, *scales_ = nullptr;
};

template <class Products>
class Surrogate {
 public:
  // Memory of a thread.
  struct Scratch {
    std::vector<typename Member<Products>::Scratch> networks;
    Buffer<double> amplitudes, sizes;  // of each member
    Buffer<double> left;               // outgoing momenta of events that the first one is not sure of,
    Buffer<long> places;               // and which ones these are
  };

  bool open(const Folder& folder, Error& error) {
    std::int32_t members = 0;
    const char* combination = nullptr;
    if (!folder.number("members", members, error) || !folder.text("combination", &combination, error)) return false;
    if (members < 1 || members > MOST_MEMBERS) return error.is("%d networks", int(members));
    for (int m = 0; m < members; ++m) {
      char name[32];
      std::snprintf(name, sizeof name, "member/%d/", m);
      const Folder own = folder.folder(name);
      members_.emplace_back();
      if (!members_[m].network.open(own, error) || !members_[m].honest.open(own.folder("recalibration/"), error))
        return false;
      if (members_[m].network.legs() != legs()) return error.is("networks of different processes");
    }
    if (!std::strcmp(combination, "single"))
      how_ = Combination::single;
    else if (!std::strcmp(combination, "mean"))
      how_ = Combination::mean;
    else if (!std::strcmp(combination, "covariance"))
      how_ = Combination::covariance;
    else
      return error.is("the combination %.50s is unknown", combination);
    if ((how_ == Combination::single) != (members == 1)) return error.is("%d networks, %s", int(members), combination);
    if (how_ == Combination::covariance && !folder.array("inverse_correlation", &inverse_, {members, members}, error))
      return false;
    if (folder.has("first_alone")) {
      if (how_ != Combination::covariance) return error.is("a first network of none that are combined by covariance");
      if (!folder.array("first_alone", &first_alone_, {}, error)) return false;
      if (!(*first_alone_ >= 0)) return error.is("the first network's largest uncertainty is none");
    }
    return honest_.open(folder.folder("recalibration/"), error);
  }

  int legs() const { return members_[0].network.legs(); }
  int members() const { return int(members_.size()); }

  Scratch scratch(long events) const {
    const long gathered = first_alone_ ? events : 0;
    Scratch made{{}, Buffer<double>(members() * events), Buffer<double>(members() * events),
                 Buffer<double>(gathered * 4 * (legs() - 2)), Buffer<long>(gathered)};
    for (const One& member : members_) made.networks.push_back(member.network.scratch());
    return made;
  }

  // Of outgoing momenta (events, legs - 2, 4): amplitudes in GeV^(4 - 2 n_final) and relative uncertainties (one standard
  // deviation), NaN where they are not known.  At most as many events as `scratch` is for.
  void predict(const double* final, long events, double* amplitude, double* relative, Scratch& scratch) const {
    double *values = scratch.amplitudes.get(), *sizes = scratch.sizes.get();
    members_[0].network.predict(final, 0, events, values, sizes, scratch.networks[0]);
    const bool in_turn = first_alone_ != nullptr;
    const long left = in_turn ? without_sure(final, events, amplitude, relative, scratch) : events;
    if (in_turn) final = scratch.left.get();
    for (int m = 1; m < members(); ++m)
      members_[m].network.predict(final, 0, left, values + m * events, sizes + m * events, scratch.networks[m]);
    for (long k = 0; k < left; ++k) {
      double value = values[k], error = sizes[k];
      if (how_ == Combination::mean) average(values + k, events, value, error);
      if (how_ == Combination::covariance) weighted(values + k, sizes + k, events, value, error);
      const long event = in_turn ? scratch.places[k] : k;
      put(value, error, honest_, amplitude[event], relative[event]);
    }
  }

 private:
  enum class Combination { single, mean, covariance };

  struct One {
    Member<Products> network;
    Recalibration honest;
  };

  static void put(double value, double error, const Recalibration& honest, double& amplitude, double& relative) {
    const bool known = std::isfinite(value) && error > 0;
    error = known ? honest(error) : NAN;
    amplitude = std::isfinite(value) ? value : NAN;
    relative = error > 0 && std::isfinite(error) ? error : NAN;
  }

  // Writes what the first network is sure of; what it says of the others, and their momenta, go to the front of `scratch`.
  // Returns how many others there are.
  long without_sure(const double* final, long events, double* amplitude, double* relative, Scratch& scratch) const {
    double *values = scratch.amplitudes.get(), *sizes = scratch.sizes.get();
    const long numbers = 4 * (legs() - 2);
    long left = 0;
    for (long event = 0; event < events; ++event) {
      put(values[event], sizes[event], members_[0].honest, amplitude[event], relative[event]);
      if (relative[event] <= *first_alone_) continue;
      std::copy_n(final + event * numbers, numbers, scratch.left.get() + left * numbers);
      values[left] = values[event], sizes[left] = sizes[event], scratch.places[left++] = event;
    }
    return left;
  }

  // Mean and its standard error (ampcli/uncertainty/mean.py), of numbers that lie `apart`.
  void average(const double* values, long apart, double& mean, double& relative) const {
    double sum = 0, squares = 0;
    for (int m = 0; m < members(); ++m) sum += values[m * apart];
    mean = sum / members();
    for (int m = 0; m < members(); ++m) squares += (values[m * apart] - mean) * (values[m * apart] - mean);
    const double size = std::fabs(mean);
    relative = std::sqrt(squares / (members() - 1) / members()) / (size < DBL_MIN ? DBL_MIN : size);
  }

  // By the inverse of the covariance, in ln|M|^2 (ampcli/uncertainty/covariance.py).
  void weighted(const double* values, const double* sizes, long apart, double& mean, double& relative) const {
    double precision[MOST_MEMBERS], total = 0, sum = 0;
    for (int m = 0; m < members(); ++m) precision[m] = 1 / members_[m].honest(sizes[m * apart]);
    for (int m = 0; m < members(); ++m) {
      double row = 0;
      for (int k = 0; k < members(); ++k) row += inverse_[m * members() + k] * precision[k];
      const double weight = precision[m] * row, value = values[m * apart];
      total += weight, sum += weight * std::log(value < DBL_MIN ? DBL_MIN : value);
    }
    mean = std::exp(sum / total), relative = 1 / std::sqrt(total);
  }

  std::vector<One> members_;
  Combination how_ = Combination::single;
  const double* inverse_ = nullptr;
  const double* first_alone_ = nullptr;  // largest relative uncertainty of events that are left to the first network
  Recalibration honest_;
};

}  // namespace AMPCLI_SPACE::surrogate
