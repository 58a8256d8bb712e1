"""`python scripts/models.py ...` equals `inpaint models ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("models")
