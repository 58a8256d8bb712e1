"""From a name or a place to an `Inpainter`; conversion of foreign checkpoints; what a training starts from."""
