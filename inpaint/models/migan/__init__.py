"""MI-GAN: a small network of separable convolutions, learned from a teacher (Sargsyan et al., ICCV 2023)."""
