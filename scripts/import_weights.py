"""`python scripts/import_weights.py ...` equals `inpaint import-weights ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("import-weights")
