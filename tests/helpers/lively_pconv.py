"""Images for partial-convolution networks."""

import torch


def sample(height=32, width=48, batch=2, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    image = torch.rand(batch, 3, height, width, generator=generator, dtype=torch.float64)
    mask = (torch.rand(batch, 1, height, width, generator=generator) < 0.3).double()
    mask[0, :, 2 : height // 2, width // 3 :] = 1
    return image.to(dtype), mask.to(dtype)
