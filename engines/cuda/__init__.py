"""Work on an NVIDIA GPU before and after a network: CUDA C, and what starts it.

``frame.cuh`` fills a slot of a batch from a decoded frame, ``masks.cuh`` packs a segmenter's
planes, ``boxes.cuh`` picks a detector's rows; ``kernels.cu`` is all of them. The tests compile the
same files for GPUs, and as C++ for the processor, where results are compared with the host's.
"""
