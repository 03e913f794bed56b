// The kernels of engines/cuda as functions of the processor: a launch runs block after block, and
// of a block thread after thread. Threads of a kernel with barriers are coroutines, and a barrier
// that not all threads of a block reach is an error, as are barriers in a kernel without.

#include <ucontext.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <vector>

#define __global__
#define __device__
#define __shared__ static
#define __syncthreads() barrier(__LINE__)

struct Index {
  unsigned x, y, z;
};
static Index threadIdx, blockIdx, blockDim, gridDim;

static float __uint_as_float(unsigned bits) { float value; std::memcpy(&value, &bits, 4); return value; }
static unsigned __float_as_uint(float value) { unsigned bits; std::memcpy(&bits, &value, 4); return bits; }
static unsigned atomicAdd(unsigned *at, unsigned value) { unsigned old = *at; *at += value; return old; }

struct Misused {};  // barriers

struct Thread {
  ucontext_t context;
  std::vector<char> stack;
  Index index;
  int waits_at;  // line of the barrier; 0 before the first, -1 after the end
};
static ucontext_t scheduler;
static Thread *running;  // null where threads are no coroutines

static void barrier(int line) {
  if (!running) throw Misused();
  Thread *self = running;
  self->waits_at = line;
  swapcontext(&self->context, &scheduler);
}

#include "kernels.cu"

static void run(int kernel, const void *parameters) {
  switch (kernel) {
    case 0: return fill_slot(*(const Fill *)parameters);
    case 1: return fill_region(*(const Fill *)parameters);
    case 2: return pack_masks(*(const Pack *)parameters);
    case 3: return score_rows(*(const Sift *)parameters);
    case 4: return pick_rows(*(const Sift *)parameters);
    case 5: return copy_rows(*(const Sift *)parameters);
  }
}

static int kernel_now;
static const void *parameters_now;

static void begin() {
  run(kernel_now, parameters_now);
  running->waits_at = -1;
}

static Index index_of(unsigned number) {
  return {number % blockDim.x, number / blockDim.x % blockDim.y, number / blockDim.x / blockDim.y};
}

static int run_plainly(unsigned threads, bool backwards) {
  for (unsigned i = 0; i < threads; i++) {
    threadIdx = index_of(backwards ? threads - 1 - i : i);
    try { run(kernel_now, parameters_now); } catch (Misused) { return 1; }
  }
  return 0;
}

static int run_with_barriers(unsigned count, bool backwards) {
  std::vector<Thread> threads(count);
  for (unsigned i = 0; i < count; i++) {
    Thread &thread = threads[i];
    thread.index = index_of(i), thread.waits_at = 0, thread.stack.resize(64 * 1024);
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = thread.stack.data();
    thread.context.uc_stack.ss_size = thread.stack.size();
    thread.context.uc_link = &scheduler;
    makecontext(&thread.context, begin, 0);
  }
  for (bool goes_on = true; goes_on;) {
    for (unsigned i = 0; i < count; i++) {
      running = &threads[backwards ? count - 1 - i : i];
      threadIdx = running->index;
      swapcontext(&scheduler, &running->context);
    }
    running = nullptr;
    for (Thread &thread : threads)
      if (thread.waits_at != threads[0].waits_at) return 2;  // its coroutines are given up
    goes_on = threads[0].waits_at != -1;
  }
  return 0;
}

// Returns 0, 1 for a barrier in a kernel that is said to have none, 2 for one not reached by all.
extern "C" int launch(int kernel, const unsigned *grid, const unsigned *block, const void *parameters,
                      int has_barriers, int backwards) {
  gridDim = {grid[0], grid[1], grid[2]}, blockDim = {block[0], block[1], block[2]};
  kernel_now = kernel, parameters_now = parameters;
  unsigned threads = block[0] * block[1] * block[2], blocks = grid[0] * grid[1] * grid[2];
  for (unsigned i = 0; i < blocks; i++) {
    unsigned b = backwards ? blocks - 1 - i : i;
    blockIdx = {b % grid[0], b / grid[0] % grid[1], b / grid[0] / grid[1]};
    int failed = has_barriers ? run_with_barriers(threads, backwards) : run_plainly(threads, backwards);
    if (failed) return failed;
  }
  return 0;
}

// Bytes of a structure, to compare with those of NumPy's type.
extern "C" unsigned size_of(int structure) {
  return structure == 0 ? sizeof(Fill) : structure == 1 ? sizeof(Pack) : sizeof(Sift);
}

extern "C" unsigned short half_of(float value) { return to_half(value); }
extern "C" float float_of(unsigned short half) { return from_half(half); }
