"""Synthesis, and the encoder that judges it: labelled chips, their configs and held-out figures."""
