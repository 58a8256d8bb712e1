"""AOT-GAN: blocks of several dilation rates, and a discriminator that tells painted patches (Zeng et al. 2022)."""
