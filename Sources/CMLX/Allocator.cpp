// The memory of arrays. MLX's own CPU allocator puts an array eight bytes behind what malloc
// returns, so that every wide load and store straddles two cache lines: AMX products ran at half
// their speed. Here arrays begin at a cache line, and freed ones are kept for the next of their
// size, because touching fresh pages costs more than most operations. The dynamic linker finds this
// definition of `allocator()` first, as it finds our `cblas_sgemm`.
#include <sys/mman.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstdlib>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "Handle.hpp"
#include "mlx/allocator.h"
#include "mlx/memory.h"

namespace {

constexpr size_t line = cmlx::alignment, huge_page = size_t(2) << 20;

/// Rounded up to whole pages, of whatever size the system's are.
size_t pages(size_t bytes) { return (bytes + 0xffff) / 0x10000 * 0x10000; }

/// Null where there is no such memory. Large blocks are the system's own: through `malloc` they would
/// leave holes that are never given back.
void *try_aligned(size_t bytes) {
  if (bytes < huge_page) {
    void *block = nullptr;
    return posix_memalign(&block, line, bytes) == 0 ? block : nullptr;
  }
  // A huge page more than needed, of which both ends are given back.
  const size_t reserved = pages(bytes) + huge_page;
  void *found = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (found == MAP_FAILED) return nullptr;
  auto *start = static_cast<char *>(found);
  const size_t before = (huge_page - reinterpret_cast<uintptr_t>(start) % huge_page) % huge_page;
  if (before > 0) munmap(start, before);
  const size_t after = huge_page - before;
  if (after > 0) munmap(start + before + pages(bytes), after);
#ifdef MADV_HUGEPAGE
  madvise(start + before, pages(bytes), MADV_HUGEPAGE);
#endif
  return start + before;
}

/// Gives back what `try_aligned` gave.
void give_back(void *block, size_t bytes) {
  if (bytes < huge_page) {
    std::free(block);
  } else if (block) {
    munmap(block, pages(bytes));
  }
}

#ifndef CMLX_GPU
/// `Buffer::raw_ptr()` is MLX's and adds the eight bytes of its own header, where the size stands.
/// So a block is a line, whose first eight bytes are the block's own size and whose last eight are
/// that header, and the data behind it.
class Pool : public mlx::core::allocator::Allocator {
 public:
  using Buffer = mlx::core::allocator::Buffer;

  Buffer malloc(size_t size) override {
    const size_t bytes = rounded(size + line);
    auto *block = take(bytes);
    *reinterpret_cast<size_t *>(block) = bytes;
    auto *header = reinterpret_cast<size_t *>(block + line) - 1;
    *header = size;
    return Buffer(header);
  }

  void free(Buffer buffer) override {
    if (!buffer.ptr()) return;
    auto *header = static_cast<size_t *>(buffer.ptr());
    auto *block = reinterpret_cast<char *>(header + 1) - line;
    const size_t bytes = *reinterpret_cast<const size_t *>(block);
    std::lock_guard lock(mutex_);
    active_ -= bytes;
    kept_ += bytes;
    spare_[bytes].push_back(block);
  }

  /// As asked for, not as rounded: MLX gives an operand's memory to a result only where the two
  /// sizes are close.
  size_t size(Buffer buffer) const override {
    return buffer.ptr() ? *static_cast<const size_t *>(buffer.ptr()) : 0;
  }

  size_t active() { return std::lock_guard(mutex_), active_; }
  size_t peak() { return std::lock_guard(mutex_), peak_; }
  size_t kept() { return std::lock_guard(mutex_), kept_; }
  void reset_peak() {
    std::lock_guard lock(mutex_);
    peak_ = active_;
  }
  void limit(size_t bytes) {
    std::lock_guard lock(mutex_);
    slack_ = bytes;
    bounded_ = true;
    most_ = active_;
    shrink();
  }
  void clear() {
    std::lock_guard lock(mutex_);
    most_ = 0;
    while (drop_largest()) {}
  }

 private:
  /// Eight sizes between one power of two and the next, so that lengths that vary a little meet.
  static size_t rounded(size_t bytes) {
    const size_t step = std::max(line, std::bit_floor(bytes) / 8);
    return (bytes + step - 1) / step * step;
  }

  char *take(size_t bytes) {
    {
      std::lock_guard lock(mutex_);
      active_ += bytes;
      most_ = std::max(most_, active_);
      if (auto found = spare_.find(bytes); found != spare_.end() && !found->second.empty()) {
        auto *block = found->second.back();
        found->second.pop_back();
        kept_ -= bytes;
        peak_ = std::max(peak_, active_);
        return static_cast<char *>(block);
      }
      shrink();
    }
    void *block = try_aligned(bytes);
    if (!block) {
      // What is kept may be all that is missing.
      clear();
      block = try_aligned(bytes);
    }
    std::lock_guard lock(mutex_);
    if (block) {
      peak_ = std::max(peak_, active_);
      return static_cast<char *>(block);
    }
    active_ -= bytes;
    throw std::bad_alloc();
  }

  /// Gives back what is kept beyond what was once in use at a time: steps that need the same again find
  /// it. Half of it more, but no more than `large`, is for one array much larger than the rest, such as
  /// logits, that would be given back for small ones in every step.
  void shrink() {
    constexpr size_t large = size_t(128) << 20;
    const size_t enough = most_ + std::max(slack_, bounded_ ? 0 : std::min(most_ / 2, large));
    while (active_ + kept_ > enough && drop_largest()) {}
  }

  /// False where nothing is kept.
  bool drop_largest() {
    while (!spare_.empty()) {
      auto last = std::prev(spare_.end());
      if (last->second.empty()) {
        spare_.erase(last);
        continue;
      }
      give_back(last->second.back(), last->first);
      last->second.pop_back();
      kept_ -= last->first;
      return true;
    }
    return false;
  }

  std::mutex mutex_;
  std::map<size_t, std::vector<void *>> spare_;
  size_t active_ = 0, peak_ = 0, kept_ = 0, most_ = 0, slack_ = size_t(32) << 20;
  /// Whether a limit was asked for.
  bool bounded_ = false;
};

/// Never destroyed: arrays in static variables may outlive any order of destruction.
Pool &pool() {
  static auto *value = [] {
#ifdef __GLIBC__
    // By itself glibc gives back the less of its heap the larger the blocks that have been freed.
    mallopt(M_MMAP_THRESHOLD, 32 << 20);
    mallopt(M_TRIM_THRESHOLD, 16 << 20);
#endif
    return new Pool;
  }();
  return *value;
}
#endif

}  // namespace

#ifdef CMLX_GPU
// A GPU's memory is MLX's own to give.
namespace {
size_t active() { return mlx::core::get_active_memory(); }
size_t peak() { return mlx::core::get_peak_memory(); }
size_t kept() { return mlx::core::get_cache_memory(); }
void reset_peak() { mlx::core::reset_peak_memory(); }
void limit(size_t bytes) { mlx::core::set_cache_limit(bytes); }
void clear() { mlx::core::clear_cache(); }
}  // namespace
#else
mlx::core::allocator::Allocator &mlx::core::allocator::allocator() { return pool(); }

namespace {
size_t active() { return pool().active(); }
size_t peak() { return pool().peak(); }
size_t kept() { return pool().kept(); }
void reset_peak() { pool().reset_peak(); }
void limit(size_t bytes) { pool().limit(bytes); }
void clear() { pool().clear(); }
}  // namespace
#endif

void *cmlx::aligned_memory(size_t bytes) {
  if (void *block = try_aligned(bytes)) return block;
  throw std::bad_alloc();
}

void cmlx::free_aligned_memory(void *block, size_t bytes) { give_back(block, bytes); }

extern "C" {

bool cmlx_aligns_arrays(void) {
#ifdef CMLX_GPU
  return true;
#endif
  return cmlx::guarded(false, [] {
    auto probe = mlx::core::full({64}, mlx::core::array(1.0f));
    mlx::core::eval(probe);
    return reinterpret_cast<uintptr_t>(probe.data<float>()) % cmlx::alignment == 0;
  });
}
size_t cmlx_active_memory(void) { return active(); }
size_t cmlx_peak_memory(void) { return peak(); }
size_t cmlx_cached_memory(void) { return kept(); }
void cmlx_reset_peak_memory(void) { reset_peak(); }
void cmlx_set_cache_limit(size_t bytes) { limit(bytes); }
void cmlx_clear_cache(void) { clear(); }

}  // extern "C"
