"""PCT-Net (Guerreiro et al. 2023): harmonizes a pasted object by a color transform of its own for every pixel."""
