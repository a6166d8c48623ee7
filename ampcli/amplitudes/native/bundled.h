// An amplitude from the arrays of a bundle (bundled.py writes them).  Whatever a file says, the recursion stays inside
// its tables and its scratch memory: every index of every section is looked at here.
#pragma once

#include <cmath>

#include "../../library/bundle.h"
#include "evaluate.h"

namespace AMPCLI_SPACE {

// Walks through the integer tables as the recursion does.
class TableCheck {
 public:
  TableCheck(const std::int32_t* ints, std::int64_t size, std::int64_t coefficients)
      : ints_(ints), size_(size), coefficients_(coefficients) {}

  bool good() {
    if (size_ < HEAD) return false;
    gluons_ = ints_[0], slots_ = ints_[1], orderings_ = ints_[2], basis_ = ints_[3];
    if (gluons_ < 0 || gluons_ > MAX_GLUONS) return false;
    if (slots_ != count_slots() || orderings_ != factorial(gluons_)) return false;
    if (basis_ != (gluons_ ? factorial(gluons_ - 1) : 0)) return false;
    return gluon_currents() && quark_currents() && ordered() && basis_words() && colour() && relations();
  }

 private:
  static constexpr int HEAD = 10, SECTIONS = 6;

  static int factorial(int n) { return n < 2 ? 1 : n * factorial(n - 1); }

  int count_slots() const {  // 2^letters for every word of up to n - 1 letters
    int slots = 0;
    for (int letters = 0; letters == 0 || letters < gluons_; ++letters)
      slots += factorial(gluons_) / factorial(gluons_ - letters) << letters;
    return slots;
  }

  bool enter(int section) {
    at_ = ints_[4 + section];
    return at_ >= HEAD && at_ <= size_;
  }

  // The next number, or -1 beyond the end: no number of the tables is negative.
  std::int64_t next() { return at_ < size_ ? ints_[at_++] : -1; }

  bool below(std::int64_t limit) {
    std::int64_t n = next();
    return n >= 0 && n < limit;
  }

  bool block(int letters) {  // the slots of a word
    std::int64_t slot = next();
    return slot >= 0 && slot + (1 << letters) <= slots_;
  }

  bool set() { return below(std::int64_t(1) << gluons_); }

  bool gluon_splits(int letters) {
    for (int j = 1; j < letters; ++j)
      if (!block(j) || !block(letters - j) || !set() || !set()) return false;
    return true;
  }

  bool gluon_currents() {
    if (!enter(0)) return false;
    for (int letters = 2; letters < gluons_; ++letters) {
      std::int64_t words = next();
      if (words < 0) return false;
      for (; words > 0; --words)
        if (!block(letters) || !set() || !gluon_splits(letters)) return false;
      std::int64_t derived = next();
      if (derived < 0) return false;
      for (; derived > 0; --derived)
        if (!below(slots_) || !below(2) || !below(2) || !sources(slots_)) return false;
    }
    return true;
  }

  bool sources(std::int64_t limit) {
    std::int64_t n = next();
    if (n < 0) return false;
    for (; n > 0; --n)
      if (!below(limit)) return false;
    return true;
  }

  bool quark_currents() {
    if (!enter(1)) return false;
    std::int64_t words = next();
    if (words < 0) return false;
    for (; words > 0; --words) {
      std::int64_t slot = next(), letters = next();
      if (slot < 0 || letters < 1 || letters >= gluons_ || slot + (1 << letters) > slots_ || !set()) return false;
      for (int j = 0; j <= letters; ++j)
        if (!block(j) || !block(int(letters) - j)) return false;
    }
    return true;
  }

  bool ordered() {
    if (!enter(2)) return false;
    for (int i = 0; i < orderings_; ++i) {
      for (int j = 0; j <= gluons_; ++j) {
        bool whole = j == 0 || j == gluons_;  // the word of all gluons is not stored, and not read
        if (whole ? next() < 0 || next() < 0 : !block(j) || !block(gluons_ - j)) return false;
      }
      for (int h = 0; h < 1 << gluons_; ++h)
        if (!below(std::int64_t(1) << gluons_)) return false;
    }
    return true;
  }

  bool basis_words() {
    if (!enter(3)) return false;
    for (int i = 0; i < basis_; ++i)
      if (!below(orderings_) || !gluon_splits(gluons_)) return false;
    return true;
  }

  bool colour() {
    if (!enter(4)) return false;
    std::int64_t butterflies = next(), used = 0;
    if (butterflies < 0) return false;
    for (; butterflies > 0; --butterflies)
      if (!below(orderings_) || !below(orderings_)) return false;
    for (int i = 0; i < orderings_; ++i) {
      std::int64_t entries = next();
      if (entries < 0 || (used += entries) > coefficients_) return false;
      for (; entries > 0; --entries)
        if (!below(orderings_)) return false;
    }
    return true;
  }

  bool relations() {
    if (!enter(5)) return false;
    for (int i = 0; i < orderings_; ++i)
      if (!below(2) || !sources(basis_)) return false;
    return true;
  }

  const std::int32_t* ints_;
  std::int64_t size_, coefficients_, at_ = 0;
  int gluons_ = 0, slots_ = 0, orderings_ = 0, basis_ = 0;
};

inline bool good_legs(const Legs& legs) {
  const int polarisations = polarisations_of(legs);
  if (legs.external != legs.gluons + (polarisations == 2 ? 4 : polarisations == 3 ? 3 : 2)) return false;
  if (polarisations == 1 && legs.gluons < 2) return false;
  unsigned seen = 0;
  auto once = [&](int leg) {
    bool fresh = leg >= 0 && leg < legs.external && !(seen >> leg & 1u);
    if (fresh) seen |= 1u << leg;
    return fresh;
  };
  if (polarisations > 1 && !once(legs.vector)) return false;
  if (polarisations == 2 && (!once(legs.other_lepton) || (legs.vector < 2) != (legs.other_lepton < 2))) return false;
  if (polarisations == 3 && legs.vector < 2) return false;
  for (int i = 0; i < legs.gluons + 2; ++i)
    if (!once(legs.parton[i])) return false;
  return true;
}

// The amplitude that a folder of a bundle describes; the bundle has to outlive the job.
inline bool job_of(const Folder& folder, Job& job, Error& error) {
  const std::int32_t *ints = nullptr, *roles = nullptr;
  const double *colour = nullptr, *parameters = nullptr;
  std::int64_t size[1] = {0}, coefficients[1] = {0};
  if (!folder.array("ints", &ints, {-1}, error, size) || !folder.array("colour", &colour, {-1}, error, coefficients))
    return false;
  if (!TableCheck(ints, size[0], coefficients[0]).good()) return error.is("the tables of the amplitude are damaged");
  int gluons = ints[0];
  if (!folder.array("legs", &roles, {3 + 2 + gluons}, error)) return false;
  if (!folder.array("parameters", &parameters, {9}, error)) return false;
  for (int i = 0; i < 9; ++i)
    if (!std::isfinite(parameters[i])) return error.is("a parameter of the amplitude is not finite");
  job = Job{{ints, colour}, legs_of(roles, gluons), parameters_of(parameters, -1), false};
  return good_legs(job.legs) || error.is("the legs of the amplitude do not fit together");
}

}  // namespace AMPCLI_SPACE
