"""Options of films; cheap to import."""

from __future__ import annotations

from pydantic import Field, field_validator

from inpaint.options import Options, Place


class FilmOptions(Options):
    """How the frames of a film are held together.

    Args:
        temporal: Weight of the temporal loss, for methods that optimize each frame (`gatys`); 1: the authors' ratio to
            the content, 0: none.
        blend: Share that a frame takes over from the frame before, moved by the flow, for all other methods; 0: each
            frame is painted by itself.
        earlier: How many frames back those lie that a frame is held to; a farther one where no nearer one is trusted.
        passes: How often the film is gone through, forward and backward in turn.
        flow: Folder of .flo files, forward_1_2.flo and backward_2_1.flo for frames 1 and 2 and so on; None: DIS, which
            OpenCV computes.
        same_color: Difference of colors, in [0, 1], by which a pixel of the film and the one that its flow fetches may
            differ and be the same thing; the trust decreases like a normal distribution of this deviation.
    """

    temporal: float = Field(0.001, ge=0)
    blend: float = Field(0.8, ge=0, le=1)
    earlier: tuple[int, ...] = (1,)
    passes: int = Field(1, ge=1, le=100)
    flow: Place | None = None
    same_color: float = Field(0.04, gt=0)

    @field_validator("earlier")
    @classmethod
    def _rising(cls, earlier: tuple[int, ...]) -> tuple[int, ...]:
        if not earlier or earlier[0] < 1 or list(earlier) != sorted(set(earlier)):
            raise ValueError(f"earlier: {list(earlier)} must be one or more frames back, rising, as [1, 2, 4]")
        return earlier

    @property
    def independent(self) -> bool:
        """Whether no frame knows of another, whatever the method."""
        return self.temporal == 0 and self.blend == 0
