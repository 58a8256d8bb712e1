"""Fast style transfer (Johnson et al., ECCV 2016): one network for one style, a photo in one pass."""
