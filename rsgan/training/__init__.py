"""Training: from a YAML and a folder of tiles to a model file."""
