"""`python scripts/masks.py ...` equals `inpaint masks ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("masks")
