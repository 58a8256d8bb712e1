"""From a name or a place to an `Inpainter`; conversion of foreign checkpoints; what a training starts from."""

from inpaint.registry.loading import load
from inpaint.registry.table import capabilities, config_class, list_models, network_class, network_module

__all__ = ["capabilities", "config_class", "list_models", "load", "network_class", "network_module"]
