"""Methods of style transfer by their names, or by the places of trained networks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

from inpaint.errors import InpaintError, UsageError, unknown
from inpaint.options import Options, chosen_of
from inpaint.registry.loading import built, stored_network
from inpaint.registry.table import style_models
from inpaint.registry.zoo import find
from inpaint.style.table import STYLIZERS
from inpaint.types import Stylizer
from inpaint.weights.places import HUB_PREFIX
from inpaint.weights.runs import Which

if TYPE_CHECKING:
    import torch

    from inpaint.models.style_config import StyleModelConfig


def stylizer_options(model: str, given: Mapping[str, Any] | None = None, *, weights: Which = "last") -> Options:
    """Return the options of a method or of a trained network, those that are given checked; this imports no torch.

    Args:
        model: See `STYLIZERS`; or a run folder or weights file of a model that stylizes.
        given: Options by name.
        weights: Which of a run's.

    Raises:
        UsageError: There is no such method, network or option, or a value that is not valid.
        WeightsError: What lies at a place cannot be used.
    """
    if model in STYLIZERS:
        return STYLIZERS.options(model, given)
    return chosen_of(model, _config(model, weights).StyleOptions, given)


def stylizes(model: str, *, weights: Which = "last") -> bool:
    """Return whether a model stylizes; what cannot be used does not. This imports no torch."""
    try:
        stylizer_options(model, weights=weights)
    except InpaintError:
        return False
    return True


def learned_styles(model: str, *, weights: Which = "last") -> tuple[str, ...] | None:
    """Return the names of the styles that a trained network has learned; None for what is given pictures of styles.

    Raises as `stylizer_options`. This imports no torch.
    """
    return None if model in STYLIZERS else _config(model, weights).learned


def load_stylizer(
    model: str,
    *,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype | None = None,
    weights: str | None = None,
    **options: Any,
) -> Stylizer:
    """Return a method by its name, or a trained network by its place.

    Args:
        model: See `STYLIZERS`; or a run folder or weights file of a model that stylizes.
        device: Where it computes, if it does so with torch.
        dtype: Of a network's weights and arithmetic, "float32" when not given; methods have none.
        weights: Of a run folder, "last" (when not given) or "best", by its validation; of a method, its option of that
            name.
        options: Of the method or network.

    Raises:
        UsageError: As `stylizer_options`, or there is no such device or type.
        WeightsError: Weights cannot be used.
    """
    if model in STYLIZERS:
        if dtype is not None:
            raise UsageError(f"dtype={dtype}: '{model}' has no network that computes in a type; leave it out")
        given = options if weights is None else {**options, "weights": weights}
        return STYLIZERS.load(model, device=device, **given)
    if weights not in (None, *get_args(Which)):
        raise UsageError(unknown("weights", str(weights), get_args(Which)))
    which = cast(Which, weights or "last")
    chosen = stylizer_options(model, options, weights=which)
    _check_place(model)
    network, metadata = built(model, weights=which, device=device, dtype=dtype)
    from inpaint.models.styling import NetworkStylizer

    # The configuration has told what kind of network it is, and which options it has.
    made: Any = NetworkStylizer(cast(Any, network), cast(Any, chosen), name=metadata.model)
    return cast(Stylizer, made)


def _config(model: str, weights: Which) -> StyleModelConfig:
    """Return the configuration of a trained network that stylizes."""
    _check_place(model)
    stored = stored_network(model, weights)[1]
    if not stored.config.capabilities().stylizes:
        raise UsageError(f"'{model}' does not stylize: a {stored.name} fills holes; use it with `inpaint infer`")
    return cast("StyleModelConfig", stored.config)


def _check_place(model: str) -> None:
    """Raise UsageError for what is neither a method nor a place."""
    if model in style_models():
        raise UsageError(
            f"'{model}' needs weights: give the folder of a trained run, e.g. checkpoints/my-run, or train one with "
            f"`inpaint train model={model} data.root=PHOTOS data.styles=PICTURES`"
        )
    if not (model.startswith(HUB_PREFIX) or find(model) is not None or Path(model).exists()):
        raise UsageError(f"{unknown('style model', model, STYLIZERS)}; or the folder of a trained network")
