// One thread pool for everything: the OpenMP runtime that oneDNN already uses. A second pool would
// fight its spinning workers for the same cores.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>

extern "C" {
void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned);
int omp_get_max_threads(void);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
int omp_get_num_procs(void);
}

namespace cmlx {

/// Calls `body(thread, threads)` on every thread of the team at once.
template <typename Body>
void together(Body body) {
  GOMP_parallel(
      [](void *pointer) {
        (*static_cast<Body *>(pointer))(size_t(omp_get_thread_num()), size_t(omp_get_num_threads()));
      },
      &body, 0, 0);
}

/// Calls `body(begin, end)` on contiguous shares of `count` items. What is computed for an item must
/// not depend on the share it falls in, so that results do not depend on the number of threads.
template <typename Body>
void parallel(size_t count, size_t minimum_share, Body body) {
  const size_t threads =
      std::min<size_t>(omp_get_max_threads(), std::max<size_t>(1, count / minimum_share));
  if (threads <= 1) return body(size_t(0), count);
  struct Job {
    Body &body;
    size_t count;
  } job{body, count};
  GOMP_parallel(
      [](void *pointer) {
        auto &job = *static_cast<Job *>(pointer);
        const size_t n = omp_get_num_threads(), i = omp_get_thread_num();
        const size_t begin = job.count * i / n, end = job.count * (i + 1) / n;
        if (begin < end) job.body(begin, end);
      },
      &job, unsigned(threads), 0);
}

}  // namespace cmlx
