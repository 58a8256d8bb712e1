"""The plane that blind models learn from beside the photo and its mask: the photo with something else in the hole."""

from inpaint.types import Plane

CONTAMINATED = Plane(name="contaminated", channels=3, make="inpaint.data.contamination:Contamination")
