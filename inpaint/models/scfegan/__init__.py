"""SC-FEGAN: fills along a sketch and strokes of color (Jo and Park 2019)."""
