"""`python scripts/info.py ...` equals `inpaint info ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("info")
