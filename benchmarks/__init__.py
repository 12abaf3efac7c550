"""Scripts that measure what the README and the cards say."""
