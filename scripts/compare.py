"""`python scripts/compare.py ...` equals `inpaint compare ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("compare")
