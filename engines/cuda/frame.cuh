// From the planes of a decoded frame to a slot of a model's input tensor, in one launch.
//
// It computes what the host does: each plane is scaled by itself, as cv2.resize scales 8 bits
// (weights of 11 bits) or 16 (float), a value of chroma serves the pixels that it covers, and levels
// are rounded before they are multiplied. Compile without fused multiply-add, which rounds once less.

#include "numbers.cuh"

struct Fill {
  const unsigned char *luma, *u, *v;      // the first samples of what is shown
  void *tensor;                           // the slot
  double luma_step_x, luma_step_y;        // samples for one pixel of the content
  double chroma_step_x, chroma_step_y;
  double origin_x, origin_y;              // of a region: the place of its first pixel, in pixels' centres
  int luma_pitch, chroma_pitch;           // bytes from row to row
  int chroma_stride;                      // bytes from sample to sample, twice a sample's where U and V alternate
  int bits;                               // of a sample: 8, or of 2 bytes the highest 10 to 16, as in P010
  int width, height;                      // of the luma that is shown; chroma has half, rounded up
  int tensor_width, tensor_height;
  int left, top, right, bottom;           // the content; padding is around it
  int channels;                           // 3, or 1 for grey
  int swap;                               // blue first
  int black;                              // luma below counts as this
  int kind;                               // of the tensor's elements
  int channel_stride, row_stride, column_stride;  // in elements
  float matrix[12];                       // (3, 4): Y, U, V, 1 to R, G, B
  float gain[3], bias[3], pad[3];         // by channel of the tensor: level * gain + bias
};

struct Tap {
  int first, second, weight_first, weight_second;
  float part;  // of the second
};

// The two samples across that a pixel is made of: at the edge it is one.
__device__ static Tap tap_across(int at, double step, int count) {
  float place = (float)((at + 0.5) * step - 0.5);
  int first = (int)floorf(place);
  float part = place - (float)first;
  if (first < 0) first = 0, part = 0.0f;
  if (first >= count - 1) first = count - 1, part = 0.0f;
  int second = first + 1 < count ? first + 1 : first;
  return {first, second, (int)rintf((1.0f - part) * 2048.0f), (int)rintf(part * 2048.0f), part};
}

// Those down: at the edge the same twice, with the weights that it would have further inside.
__device__ static Tap tap_down(int at, double step, int count) {
  float place = (float)((at + 0.5) * step - 0.5);
  int first = (int)floorf(place), second = first + 1;
  float part = place - (float)first;
  first = first < 0 ? 0 : first >= count ? count - 1 : first;
  second = second < 0 ? 0 : second >= count ? count - 1 : second;
  return {first, second, (int)rintf((1.0f - part) * 2048.0f), (int)rintf(part * 2048.0f), part};
}

__device__ static int sample(const unsigned char *at, int bits) {
  return bits == 8 ? *at : *(const unsigned short *)at >> (16 - bits);
}

// A sample as one of 8 bits.
__device__ static int narrowed(float value, int bits) {
  return bits == 8 ? (int)value : (int)fminf(rintf(value / (float)(1 << (bits - 8))), 255.0f);
}

__device__ static int blend(const unsigned char *plane, int pitch, int stride, int bits, Tap x, Tap y) {
  const unsigned char *above = plane + (long long)y.first * pitch;
  const unsigned char *below = plane + (long long)y.second * pitch;
  int left = x.first * stride, right = x.second * stride;
  int corners[4] = {sample(above + left, bits), sample(above + right, bits), sample(below + left, bits),
                    sample(below + right, bits)};
  if (bits > 8) {
    float upper = corners[0] * (1.0f - x.part) + corners[1] * x.part;
    float lower = corners[2] * (1.0f - x.part) + corners[3] * x.part;
    return narrowed(rintf(upper * (1.0f - y.part) + lower * y.part), bits);
  }
  int upper = corners[0] * x.weight_first + corners[1] * x.weight_second;
  int lower = corners[2] * x.weight_first + corners[3] * x.weight_second;
  int sum = ((y.weight_first * (upper >> 4)) >> 16) + ((y.weight_second * (lower >> 4)) >> 16);
  return (sum + 2) >> 2;
}

__device__ static float level(const float *row, float y, float u, float v) {
  float value = row[0] * y + row[1] * u + row[2] * v + row[3];
  return rintf(fminf(fmaxf(value, 0.0f), 255.0f));
}

__device__ static void put(const Fill &fill, int channel, int x, int y, float value) {
  long long at = (long long)channel * fill.channel_stride + (long long)y * fill.row_stride +
                 (long long)x * fill.column_stride;
  if (fill.kind == FLOAT32) ((float *)fill.tensor)[at] = value;
  else if (fill.kind == FLOAT16) ((unsigned short *)fill.tensor)[at] = to_half(value);
  else if (fill.kind == UINT8) ((unsigned char *)fill.tensor)[at] = (unsigned char)value;
  else ((int *)fill.tensor)[at] = (int)value;
}

// Y, U, V to levels of R, G, B.
__device__ static void convert(const Fill &fill, int luma, int u, int v, float *levels) {
  float y = (float)(luma < fill.black ? fill.black : luma);
  for (int i = 0; i < 3; i++) levels[i] = level(fill.matrix + 4 * i, y, (float)u, (float)v);
}

__device__ static void put_pixel(const Fill &fill, int x, int y, const float *levels) {
  if (fill.channels == 1) {  // Rec. 601, in parts of 2^15
    int parts = 9798 * (int)levels[0] + 19235 * (int)levels[1] + 3735 * (int)levels[2];
    put(fill, 0, x, y, (float)((parts + 16384) >> 15) * fill.gain[0] + fill.bias[0]);
    return;
  }
  for (int channel = 0; channel < 3; channel++) {
    float value = levels[fill.swap ? 2 - channel : channel];
    put(fill, channel, x, y, value * fill.gain[channel] + fill.bias[channel]);
  }
}

// A thread for each pixel of the tensor, which shows the whole frame.
extern "C" __global__ void fill_slot(Fill fill) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= fill.tensor_width || y >= fill.tensor_height) return;
  if (x < fill.left || x >= fill.right || y < fill.top || y >= fill.bottom) {
    for (int channel = 0; channel < fill.channels; channel++) put(fill, channel, x, y, fill.pad[channel]);
    return;
  }
  int column = x - fill.left, row = y - fill.top;
  int grey = blend(fill.luma, fill.luma_pitch, fill.bits > 8 ? 2 : 1, fill.bits,
                   tap_across(column, fill.luma_step_x, fill.width),
                   tap_down(row, fill.luma_step_y, fill.height));
  Tap across = tap_across(column / 2, fill.chroma_step_x, (fill.width + 1) / 2);
  Tap down = tap_down(row / 2, fill.chroma_step_y, (fill.height + 1) / 2);
  float levels[3];
  convert(fill, grey, blend(fill.u, fill.chroma_pitch, fill.chroma_stride, fill.bits, across, down),
          blend(fill.v, fill.chroma_pitch, fill.chroma_stride, fill.bits, across, down), levels);
  put_pixel(fill, x, y, levels);
}

__device__ static void convert_at(const Fill &fill, int x, int y, float *levels) {
  x = x < 0 ? 0 : x >= fill.width ? fill.width - 1 : x;
  y = y < 0 ? 0 : y >= fill.height ? fill.height - 1 : y;
  int bits = fill.bits;
  long long luma = (long long)y * fill.luma_pitch + x * (bits > 8 ? 2 : 1);
  long long chroma = (long long)(y / 2) * fill.chroma_pitch + x / 2 * fill.chroma_stride;
  convert(fill, narrowed((float)sample(fill.luma + luma, bits), bits),
          narrowed((float)sample(fill.u + chroma, bits), bits),
          narrowed((float)sample(fill.v + chroma, bits), bits), levels);
}

// A thread for each pixel of the tensor, which shows a region; beyond the edge the frame's last pixels
// are repeated. As on the host pixels are converted first, then four of them blended.
extern "C" __global__ void fill_region(Fill fill) {
  int x = blockIdx.x * blockDim.x + threadIdx.x, y = blockIdx.y * blockDim.y + threadIdx.y;
  if (x >= fill.tensor_width || y >= fill.tensor_height) return;
  double across = x * fill.luma_step_x + fill.origin_x, down = y * fill.luma_step_y + fill.origin_y;
  int left = (int)floor(across), top = (int)floor(down);
  float part_x = (float)(across - left), part_y = (float)(down - top);
  float corners[4][3], levels[3];
  for (int i = 0; i < 4; i++) convert_at(fill, left + i % 2, top + i / 2, corners[i]);
  for (int i = 0; i < 3; i++) {
    float upper = corners[0][i] + (corners[1][i] - corners[0][i]) * part_x;
    float lower = corners[2][i] + (corners[3][i] - corners[2][i]) * part_x;
    levels[i] = rintf(upper + (lower - upper) * part_y);
  }
  put_pixel(fill, x, y, levels);
}
