// From a segmenter's scores to one bit a pixel, packed as np.packbits does: the leftmost pixel is
// the highest bit, and the bits behind a row are 0.

#include "numbers.cuh"

struct Pack {
  const void *scores;          // of one image
  unsigned char *bits;         // (planes, height, ceil(width / 8))
  const int *plane_of;         // by channel: the plane that it makes, -1 for none
  const float *cuts;           // by channel: the minimum score, where channels do not compete
  unsigned *bad;               // incremented for each score that is not finite
  int kind;                    // of the scores
  int channels;
  int channel_stride, row_stride, column_stride;  // in elements
  int left, top, width, height;  // what is packed of the scores
  int competes;                // the channel with the largest score has the pixel, the first of equals
};

// A thread for each byte: eight pixels of a row, in every plane.
extern "C" __global__ void pack_masks(Pack pack) {
  int bytes = (pack.width + 7) / 8;
  int byte = blockIdx.x * blockDim.x + threadIdx.x, row = blockIdx.y * blockDim.y + threadIdx.y;
  if (byte >= bytes || row >= pack.height) return;
  int count = pack.width - byte * 8 < 8 ? pack.width - byte * 8 : 8;
  long long first = (long long)(pack.top + row) * pack.row_stride +
                    (long long)(pack.left + byte * 8) * pack.column_stride;
  unsigned char *out = pack.bits + (long long)row * bytes + byte;
  long long plane_bytes = (long long)pack.height * bytes;
  float best[8];
  int winner[8];
  unsigned bad = 0;
  for (int channel = 0; channel < pack.channels; channel++) {
    unsigned reached = 0;
    for (int i = 0; i < count; i++) {
      long long at = first + (long long)channel * pack.channel_stride + (long long)i * pack.column_stride;
      float score = read_float(pack.scores, at, pack.kind);
      bad += !is_finite(score);
      if (pack.competes) {
        if (channel == 0 || score > best[i]) best[i] = score, winner[i] = channel;
      } else if (score >= pack.cuts[channel]) {
        reached |= 128u >> i;
      }
    }
    if (!pack.competes && pack.plane_of[channel] >= 0)
      out[pack.plane_of[channel] * plane_bytes] = (unsigned char)reached;
  }
  for (int channel = 0; pack.competes && channel < pack.channels; channel++) {
    if (pack.plane_of[channel] < 0) continue;
    unsigned won = 0;
    for (int i = 0; i < count; i++) won |= winner[i] == channel ? 128u >> i : 0u;
    out[pack.plane_of[channel] * plane_bytes] = (unsigned char)won;
  }
  if (bad) atomicAdd(pack.bad, bad);
}
