"""Layers: padding, gated convolution, contextual attention, spectral normalization."""
