"""Finding in a photo what is to be removed: text, scan damage, dates, watermarks, the object in a box."""
