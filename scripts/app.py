"""`python scripts/app.py ...` equals `inpaint app ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("app")
