#include "Parallel.hpp"

#include <unistd.h>

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <sstream>
#include <string>
#include <system_error>
#include <thread>

#include "CMLX.h"

namespace {

/// Processors' worth of time that the folder of one control group grants, or 0 for any: `cpu.max` of the
/// second version, or the first version's pair of files.
double granted_in(const std::string &folder) {
  std::string quota;
  double period = 0;
  if (!(std::ifstream(folder + "/cpu.max") >> quota >> period)) {
    std::ifstream(folder + "/cpu.cfs_quota_us") >> quota;
    std::ifstream(folder + "/cpu.cfs_period_us") >> period;
  }
  const double time = std::strtod(quota.c_str(), nullptr);
  return time > 0 && period > 0 ? time / period : 0;
}

/// The least that a group and those that it is in grant.
double granted(const std::string &root, std::string group) {
  double least = 0;
  while (true) {
    const double here = granted_in(root + group);
    if (here > 0 && (least == 0 || here < least)) least = here;
    if (group.empty()) return least;
    group.resize(group.rfind('/') == std::string::npos ? 0 : group.rfind('/'));
  }
}

}  // namespace

int cmlx::threads() {
  // libgomp keeps the number by thread.
  thread_local const int count = [] {
    static const double granted = cmlx_granted_processors("/proc/self/cgroup", "/sys/fs/cgroup");
    const int found = omp_get_max_threads(), most = int(std::ceil(granted));
    if (granted == 0 || most >= found || std::getenv("OMP_NUM_THREADS")) return found;
    omp_set_num_threads(most);
    return most;
  }();
  return count;
}

extern "C" {

int cmlx_threads(void) { return cmlx::threads(); }

double cmlx_granted_processors(const char *groups, const char *root) {
  // Lines are number:controllers:group; the second version has no controllers.
  std::ifstream lines(groups);
  double least = 0;
  for (std::string line; std::getline(lines, line);) {
    std::istringstream parts(line);
    std::string number, controllers, group;
    std::getline(parts, number, ':');
    std::getline(parts, controllers, ':');
    std::getline(parts, group);
    const bool second = controllers.empty();
    if (!second && ("," + controllers + ",").find(",cpu,") == std::string::npos) continue;
    const std::string folder = std::string(root) + (second ? "" : "/" + controllers);
    const double here = granted(folder, group == "/" ? "" : group);
    if (here > 0 && (least == 0 || here < least)) least = here;
  }
  return least;
}

// libgomp's threads spin 300,000 times before they sleep, and 1,000 times while it manages more
// threads than there are processors. Two programs beside each other would spin for threads that are
// not running. A second team of a thread more than there are processors, which sleeps for good,
// keeps its count there; GOMP_SPINCOUNT, read when libgomp is loaded, could only be set by whoever
// starts the program.
void cmlx_bound_spinning(void) {
  static std::once_flag once;
  std::call_once(once, [] {
    if (cmlx::threads() == 1) return;
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
