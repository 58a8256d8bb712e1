"""The page: `inpaint app`. A thin door for browsers and, by the same calls over HTTP, for programs.

What it does is done by the rooms below. Only the modules `page`, `serving` and `programs` know Gradio.
"""
