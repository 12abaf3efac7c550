"""Learning-free methods: tensors in, tensors out, no files."""
