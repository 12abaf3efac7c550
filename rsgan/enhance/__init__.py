"""Raster in, better raster out: the data way."""
