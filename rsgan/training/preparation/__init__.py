"""One's own rasters made ready for training: indexed, checked chip by chip, split by place. Nothing is copied."""
