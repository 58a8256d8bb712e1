"""VCNet: finds what does not belong in an image and paints over it, without a mask (Wang et al. 2020)."""
