"""`python scripts/remove_object.py ...` equals `inpaint infer ...`: what lies in a `--box` is painted anew.

    python scripts/remove_object.py --model checkpoints/edgeconnect --image photo.jpg --box 120,80,140,220 \\
        --dilate 3 --output without.png

A box is x, y, width and height in pixels; repeat it for several. It must cover the whole object and its shadow: what is
left standing outside pulls new edges into the hole.
"""

from inpaint.cli.main import main

if __name__ == "__main__":
    main("infer")
