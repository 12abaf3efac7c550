"""Training of translations between two domains: what is told apart from the other tasks is here, the loop is shared."""
