// All kernels, as one program.

#include "frame.cuh"
#include "masks.cuh"
#include "boxes.cuh"
