"""Lines of a road, from the planes in which a segmenter marks them."""
