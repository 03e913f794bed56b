// Numbers of tensors and float. Written out, so that they are the same on a GPU and where the tests
// compile these files as C++.

#pragma once

enum Kind { FLOAT32 = 0, FLOAT16 = 1, UINT8 = 2, INT32 = 3 };

// Round to the nearest float16, ties to even.
__device__ static unsigned short to_half(float value) {
  unsigned bits = __float_as_uint(value);
  unsigned sign = (bits >> 16) & 0x8000u;
  bits &= 0x7fffffffu;
  if (bits > 0x7f800000u) return sign | 0x7e00u;   // NaN
  if (bits >= 0x477ff000u) return sign | 0x7c00u;  // beyond the largest, 65504, also when rounded
  if (bits < 0x38800000u)                          // subnormal: steps of 2^-24
    return sign | (unsigned)rintf(__uint_as_float(bits) * 16777216.0f);
  return sign | ((bits - 0x38000000u + 0xfffu + (bits >> 13 & 1u)) >> 13);
}

__device__ static float from_half(unsigned short half) {
  unsigned sign = (half & 0x8000u) << 16;
  unsigned exponent = (half >> 10) & 31u, mantissa = half & 1023u;
  if (exponent == 0) return __uint_as_float(sign | __float_as_uint(mantissa * 5.9604644775390625e-8f));
  if (exponent == 31) return __uint_as_float(sign | 0x7f800000u | (mantissa << 13));
  return __uint_as_float(sign | ((exponent + 112) << 23) | (mantissa << 13));
}

__device__ static bool is_finite(float value) {
  return (__float_as_uint(value) & 0x7f800000u) != 0x7f800000u;
}

// Read an element of a float32 or float16 tensor.
__device__ static float read_float(const void *tensor, long long at, int kind) {
  return kind == FLOAT16 ? from_half(((const unsigned short *)tensor)[at]) : ((const float *)tensor)[at];
}
