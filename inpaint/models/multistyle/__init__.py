"""Many styles in one network, and all between them (Dumoulin et al., ICLR 2017): conditional instance normalization."""
