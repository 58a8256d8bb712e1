"""Photo sources, the stream of samples by number, and the data module of a training run."""
