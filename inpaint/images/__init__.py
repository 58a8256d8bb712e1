"""Photos in and out: any common file becomes 8- or 16-bit RGB, and goes back with everything that it came with."""
