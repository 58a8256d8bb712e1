"""Deep painterly harmonization: an object painted over in the manner of the painting that it is put into."""
