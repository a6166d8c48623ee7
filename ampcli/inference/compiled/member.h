// A trained network from momenta to its amplitude and uncertainty: features, reduced amplitude, network and ansatz, one
// tile of events after another, so that all that lies between stays in cache.
//
// `Member.__init__` of engine.py says what a bundle holds of it.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using std::asinh, std::atan2, std::fabs, std::log, std::sqrt;

#include "../../amplitudes/native/at_rest.h"
#include "../../amplitudes/native/bundled.h"
#include "../../features/compiled/checked.h"
#include "../../features/compiled/inputs.h"
#include "amx.h"

namespace AMPCLI_SPACE::surrogate {

constexpr int MOST_RADIATIONS = 16, MOST_LAYERS = 64;

// What the features of a tile of events are, before they are standardised.
struct FeatureTile {
  Buffer<double> inputs;  // (TILE, columns)
  Buffer<double> logs;    // (TILE, radiations): ln(F |M_reduced|^2)
};

// Momenta without an emission (Amplitude Surrogates, NoFa), or one or two emissions of each radiation undone.
class Features {
 public:
  // Memory of a thread.
  struct Scratch {
    Buffer<double> legs, variables, kernel, reduced, amplitude;
    Buffer<unsigned char> bad, amplitudes;
  };

  bool open(const Folder& folder, Error& error) {
    const unsigned char* bytes = nullptr;
    std::int64_t shape[2] = {0, 0};
    if (!folder.array("tasks", &bytes, {-1, -1}, error, shape)) return false;
    if (shape[0] < 1 || shape[0] > MOST_RADIATIONS || shape[1] != std::int64_t(sizeof(radiation::Task)))
      return error.is("features of another ampcli");
    undone_ = folder.has("reduced/ints");
    if (!undone_ && shape[0] > 1) return error.is("more than one task, and no reduced amplitude");
    for (int r = 0; r < shape[0]; ++r) {
      radiation::Task task;
      std::memcpy(&task, bytes + r * sizeof task, sizeof task);
      if (!radiation::good_task(task, undone_)) return error.is("the features are damaged");
      tasks_.push_back(task);
      if (legs() != task.step[0].legs || tasks_[0].steps != task.steps)
        return error.is("radiations of different processes");
      columns_ += task.columns;
    }
    if (!undone_) return true;
    if (!job_of(folder.folder("reduced/"), reduced_, error)) return false;
    return reduced_.legs.external == legs() - tasks_[0].steps ||
           error.is("the reduced amplitude is that of another process");
  }

  int legs() const { return tasks_[0].step[0].legs; }
  int radiations() const { return undone_ ? int(tasks_.size()) : 0; }
  int columns() const { return columns_; }

  FeatureTile tile() const { return {Buffer<double>(long(TILE) * columns_), Buffer<double>(TILE * MOST_RADIATIONS)}; }

  Scratch scratch() const {
    return {Buffer<double>(6), Buffer<double>(4), Buffer<double>(TILE),
            Buffer<double>(long(TILE) * 4 * radiation::MAX_LEGS), Buffer<double>(TILE), Buffer<unsigned char>(TILE),
            Buffer<unsigned char>(undone_ ? long(scratch_bytes(reduced_)) : 0)};
  }

  // Of outgoing momenta (events, legs - 2, 4).
  void compute(const double* final, int events, FeatureTile& to, Scratch& scratch) const {
    const int numbers = 4 * (legs() - 2);
    if (!undone_) {
      for (int event = 0; event < events; ++event)
        as_they_are(tasks_[0], final + event * numbers, to.inputs.get() + long(event) * columns_);
      return;
    }
    int first = 0;
    for (int r = 0; r < radiations(); ++r) {
      const radiation::Task& task = tasks_[r];
      const int left = 4 * (legs() - task.steps);
      for (int event = 0; event < events; ++event)
        radiation::features(task, final + event * numbers,
                            {scratch.legs.get(), scratch.variables.get(), scratch.kernel.get() + event,
                             scratch.reduced.get() + event * left, to.inputs.get() + long(event) * columns_ + first});
      reduced_amplitudes(events, left, scratch);
      for (int event = 0; event < events; ++event)
        to.logs[event * radiations() + r] = log(scratch.kernel[event]) + log(scratch.amplitude[event]);
      first += task.columns;
    }
  }

 private:
  static void as_they_are(const radiation::Task& task, const double* final, double* to) {
    radiation::Event p;
    radiation::Products products;
    int place[radiation::MAX_LEGS], order[radiation::MAX_LEGS];
    radiation::read_event(task, final, p, place);
    radiation::fill_products(p, task.step[0], products);
    for (int leg = 0; leg < task.step[0].legs; ++leg) order[leg] = leg;
    radiation::log_invariants(products, order, task.step[0].legs, to);
  }

  void reduced_amplitudes(int events, int numbers, Scratch& scratch) const {
    double rest[4 * radiation::MAX_LEGS];
    unsigned char ignored;
    run(reduced_, scratch.reduced.get(), 0, events, scratch.amplitude.get(), scratch.bad.get(),
        scratch.amplitudes.get());
    for (int event = 0; event < events; ++event) {
      double& value = scratch.amplitude[event];
      if (scratch.bad[event])
        value = std::numeric_limits<double>::quiet_NaN();
      else if (at_rest(scratch.reduced.get() + event * numbers, reduced_, rest))
        run(reduced_, rest, 0, 1, &value, &ignored, scratch.amplitudes.get());
    }
  }

  std::vector<radiation::Task> tasks_;
  Job reduced_;
  bool undone_ = false;
  int columns_ = 0;
};

// Means and deviations of columns.
struct Standardiser { const double *mean, *deviation; };

// ln|M|^2 = ln sum_r c_r F_r |M_reduced,r|^2 (Amplitude Surrogates, Eqs. 10 to 13), as ampcli/models/factorised.py.
struct Factorised {
  int radiations;
  double mean, deviation;

  void operator()(const float* outputs, const double* logs, double& amplitude, double& relative) const {
    constexpr double LEAST = -12, MOST = 4;  // ampcli.models.likelihood.LOG_SIGMA
    double sum = deviation * outputs[0] + (radiations ? logs[0] : 0);
    if (radiations > 1) {
      double terms[MOST_RADIATIONS];
      for (int r = 0; r < radiations; ++r) terms[r] = deviation * outputs[r] + logs[r];
      sum = log_sum_exp(terms);
    }
    amplitude = std::exp(sum + mean);
    double sigma = outputs[radiations > 1 ? radiations : 1];
    sigma = sigma < LEAST ? LEAST : sigma > MOST ? MOST : sigma;
    relative = deviation * std::exp(sigma);
  }

 private:
  double log_sum_exp(const double* terms) const {
    double largest = terms[0], sum = 0;
    for (int r = 1; r < radiations; ++r) largest = terms[r] > largest ? terms[r] : largest;
    for (int r = 0; r < radiations; ++r) sum += std::exp(terms[r] - largest);
    return largest + std::log(sum);
  }
};

// Products: how its network multiplies.
template <class Products>
class Member {
 public:
  bool open(const Folder& folder, Error& error) {
    const std::int32_t *widths = nullptr, *residual = nullptr;
    const float* parameters = nullptr;
    const double* correction = nullptr;
    const char* activation = nullptr;
    std::int64_t layers[1] = {0};
    if (!features_.open(folder, error) || !folder.array("widths", &widths, {-1}, error, layers) ||
        !folder.array("residual", &residual, {}, error) || !folder.text("activation", &activation, error) ||
        !folder.array("correction", &correction, {2}, error))
      return false;
    std::vector<Shape> shapes;
    std::int64_t size = 0;
    if (layers[0] > MOST_LAYERS) return error.is("more than %d layers", MOST_LAYERS);
    for (int l = 0; l + 1 < layers[0]; ++l) {
      if (widths[l] < 1 || widths[l + 1] < 1 || widths[l] > 65536 || widths[l + 1] > 65536)
        return error.is("a layer of no width");
      shapes.push_back({widths[l], widths[l + 1]});
      size += std::int64_t(widths[l] + 1) * widths[l + 1];
    }
    const int inputs = features_.columns() + features_.radiations(), terms = std::max(features_.radiations(), 1);
    if (shapes.empty() || shapes.front().inputs != inputs || shapes.back().outputs != terms + 1)
      return error.is("the network does not fit the features");
    if (!folder.array("parameters", &parameters, {size}, error) ||
        !folder.array("mean", &inputs_.mean, {inputs}, error) ||
        !folder.array("deviation", &inputs_.deviation, {inputs}, error))
      return false;
    ansatz_ = {features_.radiations(), correction[0], correction[1]};
    const bool tanh = !std::strcmp(activation, "tanh");
    if (!tanh && std::strcmp(activation, "gelu")) return error.is("the activation %.50s is unknown", activation);
    network_.reset(new Network<Products>(shapes, tanh ? Activation::tanh : Activation::gelu, *residual, parameters));
    return true;
  }

  int legs() const { return features_.legs(); }

  // Events first .. last - 1 of outgoing momenta (events, legs - 2, 4): amplitudes in GeV^(4 - 2 n_final), NaN where
  // there is none, and relative uncertainties as the network predicts them.
  void predict(const double* final, long first, long last, double* amplitude, double* relative) const {
    [[maybe_unused]] typename Products::Session session;
    typename Network<Products>::Scratch scratch(*network_);
    FeatureTile tile = features_.tile();
    Features::Scratch work = features_.scratch();
    const int numbers = 4 * (legs() - 2), columns = features_.columns(), radiations = features_.radiations();
    for (long begin = first; begin < last; begin += TILE) {
      const int events = int(std::min<long>(TILE, last - begin));
      features_.compute(final + begin * numbers, events, tile, work);
      for (int event = 0; event < events; ++event) {
        float* row = scratch.in.row(event);
        const double* found = tile.inputs.get() + long(event) * columns;
        for (int c = 0; c < columns; ++c) row[c] = float((found[c] - inputs_.mean[c]) / inputs_.deviation[c]);
        for (int r = 0, c = columns; r < radiations; ++r, ++c)
          row[c] = float((tile.logs[event * radiations + r] - inputs_.mean[c]) / inputs_.deviation[c]);
      }
      const auto& outputs = network_->forward(scratch, events);
      for (int event = 0; event < events; ++event)
        ansatz_(outputs.row(event), tile.logs.get() + event * radiations, amplitude[begin + event],
                relative[begin + event]);
    }
  }

 private:
  Features features_;
  Standardiser inputs_{};
  Factorised ansatz_{};
  std::unique_ptr<Network<Products>> network_;
};

}  // namespace AMPCLI_SPACE::surrogate
