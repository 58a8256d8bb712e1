"""`python scripts/stylize.py ...` equals `inpaint stylize ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("stylize")
