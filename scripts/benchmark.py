"""`python scripts/benchmark.py ...` equals `inpaint benchmark ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("benchmark")
