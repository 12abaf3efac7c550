"""Sensor physics as differentiable functions: arrays and tensors in and out, no files."""
