// A trained network from momenta to its amplitude and uncertainty: features, reduced amplitude, network and ansatz, one
// tile of events after another, so that all that lies between stays in cache.
//
// `Member.__init__` of engine.py says what a bundle holds of it.
#pragma once

#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

using std::fabs, std::sqrt;

#include "../../amplitudes/native/at_rest.h"
#include "../../amplitudes/native/bundled.h"
#include "../../amplitudes/native/single.h"
#include "../../features/compiled/antenna.h"
#include "../../features/compiled/checked.h"
#include "../../features/compiled/inputs.h"
#include "amx.h"
#include "ansatz.h"

namespace AMPCLI_SPACE::surrogate {

constexpr int MOST_LAYERS = 64;

// What the features of a tile of events are, before they are standardised.
struct FeatureTile {
  Buffer<double> inputs;  // (TILE, columns)
  Buffer<double> terms;   // (TILE, terms) of the ansatz: ln(F |M_reduced|^2) of radiations, or antennae
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
  int terms() const { return radiations(); }

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
      radiation::take_logs(scratch.kernel.get(), events);
      radiation::take_logs(scratch.amplitude.get(), events);
      for (int event = 0; event < events; ++event)
        to.terms[event * radiations() + r] = scratch.kernel[event] + scratch.amplitude[event];
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
    run_single(reduced_, scratch.reduced.get(), 0, events, scratch.amplitude.get(), scratch.bad.get(),
               scratch.amplitudes.get());
    for (int event = 0; event < events; ++event) {
      double& value = scratch.amplitude[event];
      if (scratch.bad[event])
        value = std::numeric_limits<double>::quiet_NaN();
      else if (at_rest(scratch.reduced.get() + event * numbers, reduced_, rest))
        run(reduced_, rest, 0, 1, &value, &ignored, scratch.amplitudes.get());
      else if (!(value > LEAST_SINGLE))
        run(reduced_, scratch.reduced.get(), event, event + 1, scratch.amplitude.get(), scratch.bad.get(),
            scratch.amplitudes.get());
    }
  }

  std::vector<radiation::Task> tasks_;
  Job reduced_;
  bool undone_ = false;
  int columns_ = 0;
};

// Antennae of colour strings, and spin-correlation terms.
class Antennae {
 public:
  using Scratch = Buffer<double>;

  static bool there(const Folder& folder) { return folder.has("antenna/gluons"); }

  bool open(const Folder& folder, Error& error) {
    const std::int32_t* quarks = nullptr;
    std::int64_t gluons[1] = {0}, chains[2] = {0, 0}, terms[2] = {0, 0}, azimuths[2] = {0, 0};
    task_.old = folder.has("antenna/pairs");
    if (!folder.array("antenna/quarks", &quarks, {2}, error) ||
        !folder.array("antenna/gluons", &task_.gluon, {-1}, error, gluons) ||
        !folder.array("antenna/chains", &task_.chain, {-1, 3}, error, chains) ||
        !folder.array("antenna/terms", &task_.term, {-1, gluons[0]}, error, terms) ||
        !folder.array(task_.old ? "antenna/pairs" : "antenna/splittings", &task_.splitting,
                      {-1, task_.legs_of_splitting()}, error, azimuths) ||
        !folder.array("antenna/neighbours", &task_.neighbours, {azimuths[0], terms[0]}, error))
      return false;
    if (std::max({gluons[0], chains[0], terms[0], azimuths[0]}) > MOST) return error.is("too many antennae");
    task_.legs = 2 + int(gluons[0]), task_.gluons = int(gluons[0]), task_.chains = int(chains[0]);
    task_.quark = quarks[0], task_.antiquark = quarks[1], task_.terms = int(terms[0]);
    task_.azimuths = int(azimuths[0]);
    return task_.good() || error.is("the tables of the antennae are damaged");
  }

  int legs() const { return task_.legs + 2; }
  int radiations() const { return 0; }
  int columns() const { return task_.inputs(); }
  int terms() const { return task_.all_terms(); }

  FeatureTile tile() const { return {Buffer<double>(long(TILE) * columns()), Buffer<double>(long(TILE) * terms())}; }

  Scratch scratch() const { return Scratch(2 * task_.chains); }

  // Of outgoing momenta (events, legs - 2, 4).
  void compute(const double* final, int events, FeatureTile& to, Scratch& room) const {
    for (int event = 0; event < events; ++event)
      antenna::features(task_, final + long(event) * 4 * task_.legs, to.inputs.get() + long(event) * columns(),
                        to.terms.get() + long(event) * terms(), room.get());
  }

 private:
  static constexpr int MOST = 1 << 20;

  antenna::Task task_{};
};

// Means and deviations of columns.
struct Standardiser { const double *mean, *deviation; };

// Products: how its network multiplies.
template <class Products>
class Member {
 public:
  // Memory of a thread.
  struct Scratch {
    typename Network<Products>::Scratch network;
    FeatureTile tile;
    Features::Scratch undone;
    Antennae::Scratch strings;

    Features::Scratch& of(const Features&) { return undone; }
    Antennae::Scratch& of(const Antennae&) { return strings; }
  };

  bool open(const Folder& folder, Error& error) {
    const std::int32_t *widths = nullptr, *residual = nullptr;
    const float* parameters = nullptr;
    const char* activation = nullptr;
    std::int64_t layers[1] = {0};
    of_strings_ = Antennae::there(folder), sums_strings_ = StringSum::there(folder);
    if (!(of_strings_ ? antennae_.open(folder, error) : features_.open(folder, error))) return false;
    if (!folder.array("widths", &widths, {-1}, error, layers) || !folder.array("residual", &residual, {}, error) ||
        !folder.text("activation", &activation, error))
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
    const int inputs = with_features([](const auto& f) { return f.columns() + f.radiations(); });
    factorised_.radiations = of_strings_ ? 0 : features_.radiations();
    sum_.terms = of_strings_ ? antennae_.terms() : 0;
    if (!(sums_strings_ ? sum_.open(folder, error) : factorised_.open(folder, error))) return false;
    const int coefficients = with_ansatz([](const auto& ansatz) { return ansatz.coefficients(); });
    if (shapes.empty() || shapes.front().inputs != inputs || shapes.back().outputs != coefficients + 1)
      return error.is("the network does not fit the features");
    if (!folder.array("parameters", &parameters, {size}, error) ||
        !folder.array("mean", &inputs_.mean, {inputs}, error) ||
        !folder.array("deviation", &inputs_.deviation, {inputs}, error))
      return false;
    const bool tanh = !std::strcmp(activation, "tanh");
    if (!tanh && std::strcmp(activation, "gelu")) return error.is("the activation %.50s is unknown", activation);
    network_.reset(new Network<Products>(shapes, tanh ? Activation::tanh : Activation::gelu, *residual, parameters));
    return true;
  }

  int legs() const {
    return with_features([](const auto& features) { return features.legs(); });
  }

  int inputs() const { return network_->inputs(); }

  int terms() const {
    return with_features([](const auto& features) { return features.terms(); });
  }

  Scratch scratch() const {
    Scratch made{typename Network<Products>::Scratch(*network_), {}, {}, {}};
    with_features([&](const auto& features) {
      made.tile = features.tile(), made.of(features) = features.scratch();
      return true;
    });
    return made;
  }

  // Events first .. last - 1 of outgoing momenta (events, legs - 2, 4): amplitudes in GeV^(4 - 2 n_final), NaN where
  // there is none, and relative uncertainties as the network predicts them.
  void predict(const double* final, long first, long last, double* amplitude, double* relative,
               Scratch& scratch) const {
    [[maybe_unused]] typename Products::Session session;
    tiles(final, first, last, scratch, [&](long begin, int events, auto& network, const FeatureTile& tile) {
      const auto& outputs = network_->forward(network, events);
      with_ansatz([&](const auto& ansatz) {
        ansatz(outputs, tile.terms.get(), events, amplitude + begin, relative + begin);
        return true;
      });
    });
  }

  // What the network is given, (events, inputs), and the terms of the ansatz, (events, terms).
  void show(const double* final, long first, long last, float* given, double* terms_of, Scratch& scratch) const {
    tiles(final, first, last, scratch, [&](long begin, int events, auto& network, const FeatureTile& tile) {
      for (int event = 0; event < events; ++event)
        std::copy_n(network.in.row(event), inputs(), given + (begin + event) * inputs());
      std::copy_n(tile.terms.get(), long(events) * terms(), terms_of + begin * terms());
    });
  }

 private:
  // What a bundle says decides which features and which ansatz a member has: here, once for a tile.
  template <class Work>
  auto with_features(Work work) const {
    return of_strings_ ? work(antennae_) : work(features_);
  }

  template <class Work>
  auto with_ansatz(Work work) const {
    return sums_strings_ ? work(sum_) : work(factorised_);
  }

  // Features of one tile after another, standardised, for work(first event, events, the network's memory, tile).
  template <class Work>
  void tiles(const double* final, long first, long last, Scratch& scratch, Work work) const {
    auto& network = scratch.network;
    auto& tile = scratch.tile;
    with_features([&](const auto& features) {
      const int columns = features.columns(), radiations = features.radiations();
      for (long begin = first; begin < last; begin += TILE) {
        const int events = int(std::min<long>(TILE, last - begin));
        features.compute(final + begin * 4 * (features.legs() - 2), events, tile, scratch.of(features));
        for (int event = 0; event < events; ++event) {
          float* row = network.in.row(event);
          const double* found = tile.inputs.get() + long(event) * columns;
          for (int c = 0; c < columns; ++c) row[c] = float((found[c] - inputs_.mean[c]) / inputs_.deviation[c]);
          for (int r = 0, c = columns; r < radiations; ++r, ++c)
            row[c] = float((tile.terms[event * radiations + r] - inputs_.mean[c]) / inputs_.deviation[c]);
        }
        work(begin, events, network, tile);
      }
      return true;
    });
  }

  bool of_strings_ = false, sums_strings_ = false;
  Features features_;
  Antennae antennae_;
  Standardiser inputs_{};
  Factorised factorised_{};
  StringSum sum_{};
  std::unique_ptr<Network<Products>> network_;
};

}  // namespace AMPCLI_SPACE::surrogate
