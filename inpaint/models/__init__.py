"""Learned models: one folder each, and the adapter that makes a fill of a network."""
