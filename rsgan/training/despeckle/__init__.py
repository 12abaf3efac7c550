"""Training of despeckling models: what is told apart from the other tasks is here, the loop is shared."""
