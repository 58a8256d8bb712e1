"""LaMa: fast Fourier convolutions for large holes (Suvorov et al. 2022)."""
