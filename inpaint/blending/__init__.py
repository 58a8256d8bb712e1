"""Blending: a part of one image becomes part of another. Methods on arrays in the target's frame, by name."""
