"""Films in other styles: each frame keeps what the earlier ones have become, where their flow can be trusted."""
