"""`python scripts/train.py ...` equals `inpaint train ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("train")
