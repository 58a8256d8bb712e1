"""DeepFillv2: gated convolutions and contextual attention (Yu et al. 2019)."""
