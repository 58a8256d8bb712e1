"""`python scripts/shards.py ...` equals `inpaint shards ...`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("shards")
