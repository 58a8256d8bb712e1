"""`python scripts/blend.py ...` equals `inpaint blend ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("blend")
