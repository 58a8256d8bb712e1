"""`python scripts/edit.py ...` equals `inpaint edit ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("edit")
