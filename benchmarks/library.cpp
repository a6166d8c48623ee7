// What a call of libampcli costs, for batches of several sizes and for threads that share a handle.
//
//   ampcli export "d d~ > z g g g g" z4
//   g++ -O2 -std=c++17 library.cpp -Iz4 -Lz4 -lampcli -Wl,-rpath,$PWD/z4 -pthread -o library
//   ./library z4/model.bundle [INSTRUCTIONS] < EVENTS         (E px py pz, one line for each leg)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <iostream>
#include <thread>
#include <vector>

#include "ampcli.h"

namespace {

// Median microseconds per event.
template <class Work>
double time_of(long events, Work work) {
  std::vector<double> found;
  for (int i = 0; i < 15; ++i) {
    const auto start = std::chrono::steady_clock::now();
    work();
    found.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - start).count());
  }
  std::nth_element(found.begin(), found.begin() + 7, found.end());
  return found[7] / double(events);
}

}  // namespace

int main(int arguments, char** words) {
  ampcli_model* model;
  ampcli_model_info info;
  const char* instructions = arguments > 2 ? words[2] : nullptr;
  if (arguments < 2 || ampcli_open_on(words[1], instructions, &model) || ampcli_info(model, &info)) {
    std::cerr << ampcli_last_error() << '\n';
    return 1;
  }
  std::vector<double> momenta;
  for (double x; std::cin >> x;) momenta.push_back(x);
  const long numbers = 4 * info.legs, events = long(momenta.size()) / numbers;
  std::vector<double> amplitude(events);
  const auto evaluate = [&](long first, long last, long batch) {
    for (long i = first; i < last; i += batch)
      ampcli_evaluate(model, std::min(batch, last - i), &momenta[i * numbers], nullptr, &amplitude[i], nullptr, nullptr);
  };
  std::printf("%s, %s, %ld events\n", info.process, info.instructions, events);
  for (long batch : {1L, 2L, 4L, 8L, 16L, 96L, 1024L, 8192L})
    if (batch <= events)
      std::printf("%5ld events a call: %8.3f us an event\n", batch, time_of(events, [&] { evaluate(0, events, batch); }));
  for (long threads = 2; threads <= long(std::thread::hardware_concurrency()); threads *= 2)
    std::printf("%5ld threads, 96 events a call: %8.3f us an event\n", threads, time_of(events, [&] {
                  std::vector<std::thread> all;
                  for (long k = 0; k < threads; ++k)
                    all.emplace_back([&, k] { evaluate(events * k / threads, events * (k + 1) / threads, 96); });
                  for (auto& thread : all) thread.join();
                }));
  ampcli_close(model);
}
