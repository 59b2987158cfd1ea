#include "Parallel.hpp"

#include <unistd.h>

#include <mutex>
#include <system_error>
#include <thread>

#include "CMLX.h"

extern "C" {

int cmlx_threads(void) { return omp_get_max_threads(); }

// libgomp's threads spin 300,000 times before they sleep, and 1,000 times while it manages more
// threads than there are processors. Two programs beside each other would spin for threads that are
// not running. A second team of a thread more than there are processors, which sleeps for good,
// keeps its count there; GOMP_SPINCOUNT, read when libgomp is loaded, could only be set by whoever
// starts the program.
void cmlx_bound_spinning(void) {
  static std::once_flag once;
  std::call_once(once, [] {
    if (omp_get_max_threads() == 1) return;
    try {
      std::thread([] {
        GOMP_parallel([](void *) {}, nullptr, omp_get_num_procs() + 1, 0);
        while (true) pause();
      }).detach();
    } catch (const std::system_error &) {
      // Without room for a thread, spinning is the smaller trouble.
    }
  });
}

}  // extern "C"
