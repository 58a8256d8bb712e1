"""Public weights of AOT-GAN."""

from inpaint.weights.public import MMAGIC, PLACES, Digest, PublicWeights

FOLDER = "https://download.openmmlab.com/mmediting/inpainting/aot_gan"

ROWS = (
    PublicWeights(
        name="aotgan-places",
        model="aotgan",
        publisher=MMAGIC,
        url=f"{FOLDER}/AOT-GAN_512x512_4x12_places_20220509-6641441b.pth",
        digest=Digest("sha256", "6641441b"),
        good_for="large holes in photos of about 512 pixels; trained on Places",
        use=PLACES,
    ),
)
