"""WCT (Li et al. 2017): paints in any style by whitening and coloring a VGG's features, level by level."""
