"""GLCIC: dilated convolutions, and a discriminator that looks at the whole image and at a window around the hole."""
