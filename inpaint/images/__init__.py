"""Photos in and out: any common file becomes 8- or 16-bit RGB, and goes back with everything that it came with."""

from inpaint.images.formats import IMAGE_SUFFIXES, list_photos
from inpaint.images.holes import dilate_hole, fit_hole, hole_of, read_mask
from inpaint.images.photo import Photo
from inpaint.images.reading import MAX_PIXELS, read_photo, read_rgb
from inpaint.images.writing import write_photo

__all__ = [
    "IMAGE_SUFFIXES",
    "MAX_PIXELS",
    "Photo",
    "dilate_hole",
    "fit_hole",
    "hole_of",
    "list_photos",
    "read_mask",
    "read_photo",
    "read_rgb",
    "write_photo",
]
