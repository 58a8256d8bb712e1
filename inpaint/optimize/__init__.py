"""Fitting one image: the loop, and what can be plugged in; no method lives here."""
