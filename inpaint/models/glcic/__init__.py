"""Globally and locally consistent completion (Iizuka et al. 2017): dilated convolutions, and a discriminator of whole and part."""
