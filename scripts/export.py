"""`python scripts/export.py ...` equals `inpaint export ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("export")
