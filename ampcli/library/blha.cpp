// The Binoth Les Houches accord, version 2 (arXiv:1308.3462), for trees: AmplitudeType Tree.
//
// Models are the files *.bundle beside the library, and those of lines "Extra AmpcliModel FILE".  OLP_Order answers an
// order file by a contract file, which OLP_Start reads.
#include <dirent.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <map>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "ampcli.h"
#include "beside.h"

namespace {

struct Close {
  void operator()(ampcli_model* model) const { ampcli_close(model); }
};
using Model = std::unique_ptr<ampcli_model, Close>;

struct Subprocess {
  ampcli_model* model;
  std::vector<int> from;  // for each leg of the model, where the caller has it
};

struct State {
  std::vector<Model> models;
  std::map<int, Subprocess> subprocesses;  // by label
};

std::unique_ptr<State> started;
std::atomic<double> alpha_s{0};  // 0: that of the model

void complain(const char* where, const std::string& what) {
  std::fprintf(stderr, "ampcli: %s: %s\n", where, what.c_str());
}

std::string lower(std::string text) {
  for (char& letter : text) letter = char(letter >= 'A' && letter <= 'Z' ? letter + 32 : letter);
  return text;
}

std::string trimmed(const std::string& text) {
  const char* blanks = " \t\r\n";
  const std::size_t first = text.find_first_not_of(blanks);
  return first == std::string::npos ? "" : text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

std::vector<std::string> words_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool is_process(const std::string& line) { return line.find("->") != std::string::npos; }

bool read_codes(const std::string& text, std::vector<int>& codes) {
  for (const std::string& word : words_of(text)) {
    char* end;
    codes.push_back(int(std::strtol(word.c_str(), &end, 10)));
    if (*end || codes.back() == 0) return false;
  }
  return true;
}

// False where it is no list of two incoming and some outgoing PDG codes.
bool read_process(const std::string& line, std::vector<int>& codes) {
  const std::size_t arrow = line.find("->");
  codes.clear();
  return read_codes(line.substr(0, arrow), codes) && codes.size() == 2 && read_codes(line.substr(arrow + 2), codes) &&
         codes.size() > 2;
}

bool add_model(State& state, const std::string& path) {
  ampcli_model* model = nullptr;
  if (ampcli_open(path.c_str(), &model)) return false;
  state.models.emplace_back(model);
  return true;
}

void add_models_beside(State& state) {
  static const char here = 0;
  const std::string folder = ampcli::folder_of(&here), ending = ".bundle";
  std::vector<std::string> names;
  if (DIR* entries = opendir(folder.c_str())) {
    while (const dirent* entry = readdir(entries)) {
      const std::string name = entry->d_name;
      if (name.size() > ending.size() && name.compare(name.size() - ending.size(), ending.size(), ending) == 0)
        names.push_back(name);
    }
    closedir(entries);
  }
  std::sort(names.begin(), names.end());
  for (const std::string& name : names)
    if (!add_model(state, folder + "/" + name)) complain("models", name + ": " + ampcli_last_error());
}

// Legs of a model in the caller's order; outgoing legs may be in any, and the beams of an exact amplitude.
bool match(const ampcli_model_info& info, const std::vector<int>& codes, std::vector<int>& from) {
  if (info.legs != int(codes.size())) return false;
  std::vector<bool> taken(codes.size(), false);
  from.assign(codes.size(), -1);
  const bool any_beam = !std::strcmp(info.kind, "exact");
  for (int leg = 0; leg < info.legs; ++leg) {
    const int first = leg >= 2 ? 2 : any_beam ? 0 : leg, last = leg >= 2 ? info.legs : any_beam ? 2 : leg + 1;
    for (int place = first; place < last && from[leg] < 0; ++place)
      if (!taken[place] && codes[place] == info.pdg[leg]) from[leg] = place, taken[place] = true;
    if (from[leg] < 0) return false;
  }
  return true;
}

bool find(const State& state, const std::vector<int>& codes, Subprocess& found) {
  for (const Model& model : state.models) {
    ampcli_model_info info;
    if (ampcli_info(model.get(), &info) == AMPCLI_OK && match(info, codes, found.from))
      return found.model = model.get(), true;
  }
  return false;
}

// Answers to the lines of an order.
class Order {
 public:
  explicit Order(State& state) : state_(&state) {}

  std::string answer(const std::string& line) {
    return is_process(line) ? answer_process(line) : answer_setting(words_of(line));
  }

  bool good() const { return good_; }

 private:
  std::string wrong(const std::string& what) {
    good_ = false;
    return "Error: " + what;
  }

  std::string answer_process(const std::string& line) {
    std::vector<int> codes;
    Subprocess found;
    if (!read_process(line, codes)) return wrong("no process");
    if (type_ != "tree") return wrong("AmplitudeType Tree is all there is");
    if (!find(*state_, codes, found)) return wrong("no model of this process; export it");
    ampcli_model_info info;
    ampcli_info(found.model, &info);
    if (alpha_s_power_ >= 0 && info.alpha_s_power != alpha_s_power_)
      return wrong("it goes with power " + std::to_string(info.alpha_s_power) + " of alpha_s");
    return "1 " + std::to_string(++label_);
  }

  std::string answer_setting(const std::vector<std::string>& words) {
    const std::string name = lower(words[0]), value = words.size() > 1 ? lower(words[1]) : "";
    if (name == "interfaceversion") return value == "blha2" ? "OK" : wrong("BLHA2 is all there is");
    if (name == "amplitudetype") {
      type_ = value;
      return value == "tree" ? "OK" : wrong("Tree is all there is");
    }
    if (name == "model") return value.compare(0, 2, "sm") == 0 ? "OK" : wrong("the standard model is all there is");
    if (name == "alphaspower" || (name == "couplingpower" && value == "qcd")) {
      const std::string& power = name == "alphaspower" ? value : words.size() > 2 ? words[2] : "";
      if (power.empty() || power.find_first_not_of("0123456789") != std::string::npos || power.size() > 3)
        return wrong("no power");
      alpha_s_power_ = std::stoi(power);
      return "OK";
    }
    if (name == "extra" && value == "ampclimodel" && words.size() == 3)
      return add_model(*state_, words[2]) ? "OK" : wrong(ampcli_last_error());
    if (name == "massiveparticles" || name == "lightmassiveparticles") {
      for (std::size_t i = 1; i < words.size(); ++i) {
        const int code = std::abs(std::atoi(words[i].c_str()));
        if (code <= 5 || code == 11 || code == 13 || code == 15) return wrong("light quarks and leptons are massless");
      }
      return "OK";
    }
    static const char* const without_effect[] = {"correctiontype", "irregularisation", "irregularization",
                                                 "alphapower", "couplingpower", "accuracytarget", "debugunstable",
                                                 "widthscheme", "ewscheme", "operationmode", "subdividesubprocess",
                                                 "excludedparticles", "massiveparticles", "lightmassiveparticles"};
    for (const char* known : without_effect)
      if (name == known) return "OK";
    return wrong("unknown");
  }

  State* state_;
  std::string type_ = "loop";  // the accord's default
  int alpha_s_power_ = -1, label_ = 0;
  bool good_ = true;
};

// Reads a file line by line: what stands before and after "|", without comments.
template <class Function>
bool each_line(const char* path, Function function) {
  std::ifstream file(path);
  if (!path || !file) return false;
  for (std::string line; std::getline(file, line);) {
    const std::string text = line.substr(0, line.find('#'));
    const std::size_t bar = text.find('|');
    const bool answered = bar != std::string::npos;
    function(line, trimmed(text.substr(0, bar)), answered ? trimmed(text.substr(bar + 1)) : "");
  }
  return true;
}

bool write_contract(const char* order_path, const char* contract_path) {
  State state;
  add_models_beside(state);
  Order order(state);
  std::string contract;
  if (!each_line(order_path, [&](const std::string& line, const std::string& asked, const std::string&) {
        contract += words_of(asked).empty() ? line : asked + " | " + order.answer(asked);
        contract += '\n';
      })) {
    complain("OLP_Order", std::string(order_path) + " cannot be read");
    return false;
  }
  std::ofstream file(contract_path);
  file << contract;
  file.close();
  if (!file) complain("OLP_Order", std::string(contract_path) + " cannot be written");
  return file && order.good();
}

bool start(const char* path) {
  std::unique_ptr<State> state(new State);
  add_models_beside(*state);
  std::string fault;
  const bool read = each_line(path, [&](const std::string&, const std::string& asked, const std::string& answer) {
    const std::vector<std::string> words = words_of(asked), answers = words_of(answer);
    if (!fault.empty() || words.empty()) return;
    if (answers.empty())
      fault = "\"" + asked + "\" has no answer: this is an order, which OLP_Order answers";
    else if (lower(answers[0]).compare(0, 5, "error") == 0)
      fault = "\"" + asked + "\": " + answer;
    else if (words.size() == 3 && lower(words[0]) == "extra" && lower(words[1]) == "ampclimodel")
      fault = add_model(*state, words[2]) ? "" : ampcli_last_error();
    else if (is_process(asked)) {
      std::vector<int> codes;
      Subprocess found;
      if (!read_process(asked, codes) || !find(*state, codes, found))
        fault = "no model of " + asked;
      else if (answers.size() != 2 || answers[0] != "1" || std::atoi(answers[1].c_str()) < 1)
        fault = "\"" + asked + "\" has a strange answer: " + answer;
      else
        state->subprocesses[std::atoi(answers[1].c_str())] = found;
    }
  });
  if (!read) fault = "the contract cannot be read";
  if (!fault.empty()) return complain("OLP_Start", fault), false;
  started = std::move(state);
  return true;
}

// The accord's names of parameters, and ours.
const char* parameter_of(const std::string& name) {
  static const std::map<std::string, const char*> names = {{"alphas", "alpha_s"},
                                                           {"alpha", "alpha_ew"},
                                                           {"sw2", "sin2_theta_w"},
                                                           {"mass(23)", "m_z"},
                                                           {"width(23)", "gamma_z"}};
  const auto found = names.find(lower(name));
  return found == names.end() ? nullptr : found->second;
}

// 1: done; 0: it cannot have that value; 2: no amplitude depends on it.
int set_parameter(const char* name, double real, double imaginary) {
  const std::string asked = lower(name);
  if (asked == "alphas") {
    if (!(real > 0) || !std::isfinite(real) || imaginary != 0) return 0;
    return alpha_s = real, 1;
  }
  const char* ours = parameter_of(asked);
  if (!ours || !started) return ours ? 0 : 2;
  for (const Model& model : started->models) {
    double value;
    if (ampcli_parameter(model.get(), ours, &value)) continue;
    if (imaginary != 0 || !(std::fabs(real - value) <= 1e-9 * std::fabs(value))) return 0;
  }
  return 1;
}

void evaluate(int label, const double* momenta, double* amplitude, double* accuracy) {
  *amplitude = NAN, *accuracy = -1;
  if (!started) return;
  const auto found = started->subprocesses.find(label);
  if (found == started->subprocesses.end()) return;
  const Subprocess& process = found->second;
  double ordered[4 * 32], value, uncertainty;
  for (std::size_t leg = 0; leg < process.from.size(); ++leg)
    std::memcpy(ordered + 4 * leg, momenta + 5 * process.from[leg], 4 * sizeof(double));
  const double coupling = alpha_s;
  std::uint32_t flags;
  if (ampcli_evaluate(process.model, 1, ordered, coupling > 0 ? &coupling : nullptr, &value, &uncertainty, &flags) ||
      (flags & AMPCLI_NOT_PHYSICAL) || value != value)
    return;
  *amplitude = value, *accuracy = uncertainty;
}

bool print_parameters(const char* path) {
  std::ofstream file(path);
  if (started)
    for (const Model& model : started->models) {
      ampcli_model_info info;
      if (ampcli_info(model.get(), &info)) continue;
      file << info.process << '\n';
      for (const char* name : {"alphas", "alpha", "sw2", "mass(23)", "width(23)"}) {
        double value;
        char text[64];
        if (ampcli_parameter(model.get(), parameter_of(name), &value)) continue;
        if (!std::strcmp(name, "alphas") && alpha_s > 0) value = alpha_s;
        std::snprintf(text, sizeof text, "  %s %.17g\n", name, value);
        file << text;
      }
    }
  return bool(file);
}

template <class Function>
int guarded(Function function) {
  try {
    return function();
  } catch (...) {
    return 0;
  }
}

void fill(char* text, std::size_t size, const char* content) { std::snprintf(text, size, "%s", content); }

}  // namespace

extern "C" {

// Answers an order file; 1, or 0 where something of it is not to be had (the contract says what).
AMPCLI_API void OLP_Order(const char* order, const char* contract, int* error) {
  if (error) *error = order && contract ? guarded([&] { return int(write_contract(order, contract)); }) : 0;
}

AMPCLI_API void OLP_Start(const char* contract, int* error) {
  if (error) *error = contract ? guarded([&] { return int(start(contract)); }) : 0;
}

AMPCLI_API void OLP_Info(char* name, char* version, char* message) {
  if (name) fill(name, 15, "ampcli");
  if (version) fill(version, 15, ampcli_version());
  if (message) fill(message, 255, "ampcli: exact tree amplitudes of one quark line, gluons and a vector boson");
}

AMPCLI_API void OLP_SetParameter(const char* name, const double* real, const double* imaginary, int* error) {
  if (!error) return;
  *error = name && real ? guarded([&] { return set_parameter(name, *real, imaginary ? *imaginary : 0); }) : 0;
}

AMPCLI_API void OLP_PrintParameter(const char* path) {
  if (!path || !guarded([&] { return int(print_parameters(path)); })) complain("OLP_PrintParameter", "nothing was written");
}

// Momenta as E, px, py, pz, m of each leg; one number in `amplitude`, NaN with the accuracy -1 where there is none.
AMPCLI_API void OLP_EvalSubProcess2(const int* label, const double* momenta, const double*, double* amplitude,
                                    double* accuracy) {
  double unwanted;
  if (!amplitude) return;
  if (!accuracy) accuracy = &unwanted;
  if (label && momenta)
    evaluate(*label, momenta, amplitude, accuracy);
  else
    *amplitude = NAN, *accuracy = -1;
}

}
