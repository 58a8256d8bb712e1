"""Photographic style transfer: a photo in the colors and the light of another that still looks like a photo."""
