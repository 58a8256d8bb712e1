"""Optimization of one picture at a time: the loop that later methods share, and Deep Image Prior."""
