"""Partial convolutions, a U-Net without discriminator (Liu et al. 2018)."""
