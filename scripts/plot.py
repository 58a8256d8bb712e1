"""`python scripts/plot.py ...` equals `inpaint plot ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("plot")
