"""`--option NAME=VALUE`: what `inpaint.load` takes for a model, from the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from inpaint.weights.runs import Which

HELP = "What inpaint.load takes for this model (latent=mean, dtype=bfloat16, ...); repeat for several."


def for_models(
    models: Mapping[str, str], texts: Sequence[str], *, weights: Mapping[str, Which] | None = None
) -> dict[str, dict[str, Any]]:
    """Return what each model is to be loaded with, see `inpaint.registry.texts.for_models`."""
    from inpaint.registry import texts as reading

    return reading.for_models(models, texts, weights=weights)


def for_stylizers(
    models: Mapping[str, str], texts: Sequence[str], *, weights: Mapping[str, Which] | None = None
) -> dict[str, dict[str, Any]]:
    """Return the same for models that stylize, see `inpaint.registry.texts.for_stylizers`."""
    from inpaint.registry import texts as reading

    return reading.for_stylizers(models, texts, weights=weights)


def which(models: Mapping[str, str], wanted: Which) -> dict[str, Which]:
    """Return which weights each model is loaded with: `wanted` of what has several to choose from, by label."""
    from inpaint.registry.zoo import loadable_names

    alone = loadable_names()
    return {label: "last" if spec in alone else wanted for label, spec in models.items()}


option = click.option("--option", "option", multiple=True, metavar="NAME=VALUE", help=HELP)
weights = click.option(
    "--weights", type=click.Choice(["last", "best"]), default="last", help="Of a run: the last, or the best validated."
)
