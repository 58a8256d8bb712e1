"""`python -m inpaint` equals `inpaint`."""

from inpaint.cli.main import main

if __name__ == "__main__":
    main()
