"""`python scripts/restore.py ...` equals `inpaint restore ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("restore")
