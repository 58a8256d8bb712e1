"""What validation measures, and which of its figures decides what is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from inpaint.errors import ConfigError, UsageError, unknown
from inpaint.images.guidance import COMPOSITE, CONTAMINATED
from inpaint.metrics import MEASURES, OF_BLIND, OF_RECOLORED, USUAL, Measure, Measures, measures
from inpaint.metrics.base import Need
from inpaint.training.config import Best
from inpaint.training.module import TrainingModule


def is_blind(module: TrainingModule) -> bool:
    """Return whether a model is validated on contaminated photos, whose holes it finds itself."""
    return CONTAMINATED.name in {plane.name for plane in module.planes} and module.config.capabilities().blind


def recolors(module: TrainingModule) -> bool:
    """Return whether a model is validated on composites, whose pasted part it harmonizes."""
    return COMPOSITE.name in {plane.name for plane in module.planes} and module.config.capabilities().recolors


def stylizes(module: TrainingModule) -> bool:
    """Return whether a model fills no holes, so that its own figures are all that validation has."""
    return module.config.capabilities().stylizes


def seen_as(module: TrainingModule) -> str | None:
    """Return the plane that a model is given as the image in validation; None: the image itself."""
    return CONTAMINATED.name if is_blind(module) else COMPOSITE.name if recolors(module) else None


def given(module: TrainingModule) -> frozenset[Need]:
    """Return what validation has beside completed images, originals and masks."""
    return frozenset({"raw", "found"} if is_blind(module) else {"raw"})


@dataclass(frozen=True)
class Selection:
    """The figures of a validation, and the one that decides what best.ckpt is.

    A figure is called NAME, or SET/NAME where validation sets have names; it is logged as val/FIGURE.

    Attributes:
        measures: Of the fills.
        own: Names of what the model itself measures.
        own_modes: Which of these have a best value.
        given: What there is beside completed images, originals and masks.
        sets: The validation sets, the first first; a single one has the name "".
        best: The figure that decides.
        mode: Whether the smallest or the largest is best.
    """

    measures: Measures
    own: tuple[str, ...]
    own_modes: Mapping[str, Best]
    given: frozenset[Need]
    sets: tuple[str, ...]
    best: str
    mode: Best

    @classmethod
    def of(cls, module: TrainingModule, sets: Sequence[str] = ("",)) -> Selection:
        """Return what `validation.measures` and `validation.best` ask for.

        What decides is measured, whether `validation.measures` names it or not. Without a word about it the model
        decides, and a figure without a set is that of the first one.

        Args:
            module: Knows the options, and what it measures itself.
            sets: Names of the validation sets.

        Raises:
            ConfigError: A measure or set is unknown, or what should decide has no better and worse.
        """
        options = module.loop.validation
        wanted = module.best_metric if options.best is None else options.best
        among, slash, name = wanted.rpartition("/")
        if slash and among not in sets:
            valid = [f"{one}/{name}" if one else name for one in sets]
            raise ConfigError(f"validation.best: {unknown('figure', wanted, valid)}")
        if stylizes(module):
            if options.measures:
                raise ConfigError(
                    f"validation.measures: {module.name} fills no holes; it is measured by {', '.join(module.metrics)}"
                )
            usual: tuple[str, ...] = ()
        else:
            usual = (*USUAL, *(OF_BLIND if is_blind(module) else OF_RECOLORED if recolors(module) else ()))
        names = usual if options.measures is None else tuple(options.measures)
        if name not in names and name in MEASURES and name not in module.metrics:
            names = (*names, name)
        try:
            found = measures(names)
        except UsageError as error:
            raise ConfigError(f"validation.measures: {error}") from None
        mode: Best = module.best_mode
        if options.best is not None and name != module.best_metric:
            mode = _mode(name, found, module)
        best = figure(among or sets[0], name)
        return cls(found, module.metrics, module.metric_modes, given(module), tuple(sets), best, mode)

    @property
    def every(self) -> tuple[Measure, ...]:
        """All measures of the fills."""
        return (*self.measures.of_images, *self.measures.of_sets)

    @property
    def names(self) -> list[str]:
        """What is measured on each set, of the fills and by the model itself."""
        return [*(measure.name for measure in self.every), *self.own]

    @property
    def best_name(self) -> str:
        """What is measured by the figure that decides."""
        return self.best.rpartition("/")[2]

    @property
    def best_set(self) -> str:
        """The validation set that decides."""
        return self.best.rpartition("/")[0]

    def directions(self) -> dict[str, Best]:
        """Return which of the logged figures has which best value: {val/FIGURE: min or max}."""
        better = {one.name: _direction(one) for one in self.every if one.better != "neither"}
        better |= {**self.own_modes, self.best_name: self.mode}
        return {f"val/{figure(one, name)}": mode for one in self.sets for name, mode in better.items()}

    def figures_of(self, sets: Sequence[str]) -> list[str]:
        """Return all figures of some validation sets, as they are logged."""
        return [f"val/{figure(one, name)}" for one in sets for name in self.names]

    def key(self, value: float) -> float:
        """Return the number by which a value of the figure that decides is compared: the smaller, the better."""
        return -value if self.mode == "max" else value

    def check_available(self, *, size_px: int) -> None:
        """Raise ConfigError for a measure that cannot be had: a training must not lose what it is selected by.

        Args:
            size_px: Side of the crops.
        """
        for measure in self.every:
            key = "validation.best" if measure.name == self.best_name else "validation.measures"
            reason = measure.lacks(self.given, side_px=size_px) or measure.missing()
            if reason is not None:
                raise ConfigError(f"{key}: {measure.name} cannot be had here: {reason}")

    def check_fills(self, module: TrainingModule, *, fills: bool) -> None:
        """Raise ConfigError where fills should decide and the model does not fill as it is configured.

        Args:
            module: What is trained.
            fills: Whether it fills.
        """
        if not fills and module.loop.validation.best is not None and self.best_name not in self.own:
            hint = f"valid: {', '.join(self.own)}" if self.own else "nothing is measured of it"
            raise ConfigError(f"validation.best={self.best}: {module.name} does not fill as it is configured; {hint}")

    def check_counts(self, counts: Mapping[str, int]) -> None:
        """Raise ConfigError where a validation set has too few photos for a measure of sets.

        Args:
            counts: How many photos each validation set has.
        """
        for measure in self.measures.of_sets:
            for name, count in counts.items():
                where, refusal = f"data.val.{name}" if name else "the validation set", measure.refusal(count)
                if refusal is not None:
                    raise ConfigError(f"validation.measures: {where}: {refusal}")

    def cautions(self, counts: Mapping[str, int]) -> list[str]:
        """Return what to say beside figures of so few photos; counts: as of `check_counts`."""
        found = {measure.caution(count) for measure in self.measures.of_sets for count in counts.values()}
        return sorted(caution for caution in found if caution is not None)


def figure(among: str, name: str) -> str:
    """Return what a measure is called on a validation set."""
    return f"{among}/{name}" if among else name


def _mode(name: str, found: Measures, module: TrainingModule) -> Best:
    """Return the direction of what should decide."""
    for measure in (*found.of_images, *found.of_sets):
        if measure.name == name:
            if measure.better == "neither":
                raise ConfigError(f"validation.best={name}: no value of it is better than another")
            return _direction(measure)
    if name in module.metric_modes:
        return module.metric_modes[name]
    raise ConfigError(f"validation.best: {unknown('measure', name, [*MEASURES, *module.metrics])}")


def _direction(measure: Measure) -> Best:
    return "max" if measure.better == "higher" else "min"
