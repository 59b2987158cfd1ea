// One thread pool for everything: the OpenMP runtime that oneDNN already uses. A second pool would
// fight its spinning workers for the same cores.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <memory>

extern "C" {
void GOMP_parallel(void (*)(void *), void *, unsigned, unsigned);
int omp_get_max_threads(void);
void omp_set_num_threads(int);
int omp_get_num_threads(void);
int omp_get_thread_num(void);
int omp_get_num_procs(void);
}

namespace cmlx {

/// Threads that this thread's work is shared among: OMP_NUM_THREADS, or the processors that there are, or
/// what a container's control group grants of them. oneDNN asks libgomp, so this is called before it.
int threads();

/// Calls `body(thread, threads)` on every thread of the team at once, of which there are no more than
/// processors: they may wait for each other.
template <typename Body>
void together(Body body) {
  const int count = std::min(threads(), omp_get_num_procs());
  GOMP_parallel(
      [](void *pointer) {
        (*static_cast<Body *>(pointer))(size_t(omp_get_thread_num()), size_t(omp_get_num_threads()));
      },
      &body, unsigned(count), 0);
}

/// Calls `body(begin, end)` on contiguous shares of `count` items. What is computed for an item must
/// not depend on the share it falls in, so that results do not depend on the number of threads.
///
/// Each thread takes half of what would be its part of the items left, and then again: one that runs
/// slower, beside another program, then holds up the others less.
template <typename Body>
void parallel(size_t count, size_t minimum_share, Body body) {
  const size_t most = std::min<size_t>(threads(), std::max<size_t>(1, count / minimum_share));
  if (most <= 1) return body(size_t(0), count);
  struct Job {
    Body &body;
    size_t count, minimum_share;
    std::atomic<size_t> taken;
  } job{body, count, minimum_share, 0};
  GOMP_parallel(
      [](void *pointer) {
        auto &job = *static_cast<Job *>(pointer);
        const size_t pieces = 2 * size_t(omp_get_num_threads());
        size_t begin = job.taken.load(std::memory_order_relaxed);
        while (begin < job.count) {
          const size_t left = job.count - begin, share = std::max(job.minimum_share, left / pieces);
          // A rest too small for a share of its own goes with this one.
          const size_t end = left < share + job.minimum_share ? job.count : begin + share;
          if (!job.taken.compare_exchange_weak(begin, end, std::memory_order_relaxed)) continue;
          job.body(begin, end);
          begin = job.taken.load(std::memory_order_relaxed);
        }
      },
      &job, unsigned(most), 0);
}

}  // namespace cmlx
