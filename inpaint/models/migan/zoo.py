"""Public weights of MI-GAN."""

from inpaint.weights.public import ARCHIVE, Digest, PublicWeights, Publisher

ROWS = (
    PublicWeights(
        name="migan-places-512",
        model="migan",
        publisher=Publisher(
            origin="migan",
            page="https://github.com/Picsart-AI-Research/MI-GAN",
            weights_license="MIT (LICENSE-WEIGHTS of the authors)",
            code_license="MIT; parts of the training program are non-commercial",
        ),
        url="https://github.com/Sanster/models/releases/download/migan/migan_traced.pt",
        form=ARCHIVE,
        digest=Digest("md5", "76eb3b1a71c400ee3290524f7a11b89c"),
        good_for="holes of any size in photos of about 512 pixels, quickly; trained on Places",
        use="MIT restricts no use; the terms of the training photos (Places) name non-commercial research",
    ),
)
