"""Style transfer: a photo painted as others look. Methods on arrays, by name; networks come from `inpaint.models`."""
