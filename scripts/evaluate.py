"""`python scripts/evaluate.py ...` equals `inpaint evaluate ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("evaluate")
