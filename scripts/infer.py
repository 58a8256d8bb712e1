"""`python scripts/infer.py ...` equals `inpaint infer ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("infer")
