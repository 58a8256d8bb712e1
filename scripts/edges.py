"""`python scripts/edges.py ...` equals `inpaint edges ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("edges")
