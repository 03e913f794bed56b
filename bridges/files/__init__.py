"""Files for analysts: a line or a row for each entry, rotated, finished atomically."""
