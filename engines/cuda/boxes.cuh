// From a detector's table to the rows in which a class reaches its threshold: at most the best
// `limit` of them, in the order of the table, whatever order threads run in.
//
// Three launches: score_rows, pick_rows (one block an image), copy_rows. Boxes are decoded, and
// suppressed, of what is copied to the host. The z of a block is the image's number in the batch.

#include "numbers.cuh"

struct Sift {
  const void *table;           // of one image
  const float *thresholds;     // by class, 0 or more
  unsigned *keys;              // (rows): 0 where no class reaches its threshold, else it grows with the score
  int *picked;                 // (limit): rows, ascending
  float *kept;                 // (limit, columns)
  unsigned *counts;            // (3): rows kept, rows that reach, values that are not finite
  long long table_apart;       // bytes from image to image
  long long block_apart;       // the same of all that is not the table
  int kind;                    // of the table
  int rows, columns;
  int row_stride, column_stride;  // in elements
  int first_class, classes;    // columns of the classes
  int objectness;              // column of what scores are multiplied by, -1 for none
  int limit;
};

template <typename T>
__device__ static void move(T *&pointer, long long bytes) {
  pointer = (T *)((unsigned long long)pointer + bytes * blockIdx.z);
}

// The same for the image of this block.
__device__ static Sift of_image(Sift sift) {
  move(sift.table, sift.table_apart);
  move(sift.thresholds, sift.block_apart);
  move(sift.keys, sift.block_apart);
  move(sift.picked, sift.block_apart);
  move(sift.kept, sift.block_apart);
  move(sift.counts, sift.block_apart);
  return sift;
}

__device__ static float cell(const Sift &sift, int row, int column) {
  long long at = (long long)row * sift.row_stride + (long long)column * sift.column_stride;
  return read_float(sift.table, at, sift.kind);
}

// A thread for each row.
extern "C" __global__ void score_rows(Sift all) {
  Sift sift = of_image(all);
  int row = blockIdx.x * blockDim.x + threadIdx.x;
  if (row >= sift.rows) return;
  float times = sift.objectness < 0 ? 1.0f : cell(sift, row, sift.objectness);
  float best = -1.0f;
  unsigned bad = 0;
  for (int column = 0; column < sift.columns; column++) {
    float value = cell(sift, row, column);
    bad += !is_finite(value);
    int id = column - sift.first_class;
    if (id < 0 || id >= sift.classes) continue;
    float score = sift.objectness < 0 ? value : value * times;
    if (score >= sift.thresholds[id] && score > best) best = score;
  }
  // The bits of floats of 0 or more grow with them; the highest bit, their sign, says that there is one.
  sift.keys[row] = best >= 0.0f ? __float_as_uint(best) | 0x80000000u : 0u;
  if (bad) atomicAdd(&sift.counts[2], bad);
}

#define THREADS 256

// One block of THREADS. The limit's key is found digit by digit; then each thread takes a run of rows.
extern "C" __global__ void pick_rows(Sift all) {
  Sift sift = of_image(all);
  __shared__ unsigned histogram[THREADS];
  __shared__ unsigned before[THREADS], ties_before[THREADS];
  __shared__ unsigned prefix, quota, reaching;
  int thread = threadIdx.x;
  if (thread == 0) prefix = 0u, quota = sift.limit, reaching = 0u;
  unsigned mask = 0u;
  for (int shift = 24; shift >= 0; shift -= 8) {
    histogram[thread] = 0u;
    __syncthreads();
    for (int row = thread; row < sift.rows; row += THREADS) {
      unsigned key = sift.keys[row];
      if (key != 0u && (key & mask) == prefix) atomicAdd(&histogram[(key >> shift) & 255u], 1u);
    }
    __syncthreads();
    if (thread == 0) {
      if (shift == 24)
        for (int digit = 0; digit < 256; digit++) reaching += histogram[digit];
      if (reaching > (unsigned)sift.limit) {
        int digit = 255;
        while (quota > histogram[digit]) quota -= histogram[digit--];
        prefix |= (unsigned)digit << shift;
      }
    }
    __syncthreads();
    mask |= 255u << shift;
  }
  // Of rows with exactly the limit's key the first `quota` stay; without a limit prefix is 0, below all.
  int run = (sift.rows + THREADS - 1) / THREADS;
  int begin = thread * run, end = begin + run < sift.rows ? begin + run : sift.rows;
  unsigned above = 0u, ties = 0u;
  for (int row = begin; row < end; row++) {
    unsigned key = sift.keys[row];
    above += key > prefix;
    ties += key != 0u && key == prefix;
  }
  before[thread] = above, ties_before[thread] = ties;
  __syncthreads();
  if (thread == 0) {
    unsigned rows = 0u, tied = 0u;
    for (int i = 0; i < THREADS; i++) {
      unsigned own = before[i], own_ties = ties_before[i];
      before[i] = rows, ties_before[i] = tied;
      rows += own, tied += own_ties;
    }
    sift.counts[0] = rows + (tied < quota ? tied : quota);
    sift.counts[1] = reaching;
  }
  __syncthreads();
  above = before[thread], ties = ties_before[thread];
  for (int row = begin; row < end; row++) {
    unsigned key = sift.keys[row];
    unsigned at = above + (ties < quota ? ties : quota);
    if (key > prefix) sift.picked[at] = row, above++;
    else if (key != 0u && key == prefix) {
      if (ties < quota) sift.picked[at] = row;
      ties++;
    }
  }
}

// A thread for each value of the rows that may be kept.
extern "C" __global__ void copy_rows(Sift all) {
  Sift sift = of_image(all);
  long long at = (long long)blockIdx.x * blockDim.x + threadIdx.x;
  if (at >= (long long)sift.counts[0] * sift.columns) return;
  sift.kept[at] = cell(sift, sift.picked[at / sift.columns], (int)(at % sift.columns));
}
