"""`python scripts/audit.py ...` equals `inpaint audit ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("audit")
