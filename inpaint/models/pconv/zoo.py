"""Public weights of partial convolutions."""

from inpaint.weights.public import CELEBA, MMAGIC, PLACES, Digest, PublicWeights

FOLDER = "https://download.openmmlab.com/mmediting/inpainting/pconv"

ROWS = (
    PublicWeights(
        name="pconv-places",
        model="pconv",
        publisher=MMAGIC,
        url=f"{FOLDER}/pconv_256x256_stage2_4x2_places_20200619-1ffed0e8.pth",
        digest=Digest("sha256", "1ffed0e8"),
        good_for="irregular holes in photos of about 256 pixels; trained on Places",
        use=PLACES,
    ),
    PublicWeights(
        name="pconv-celebahq",
        model="pconv",
        publisher=MMAGIC,
        url=f"{FOLDER}/pconv_256x256_stage2_4x2_celeba_20200619-860f8b95.pth",
        digest=Digest("sha256", "860f8b95"),
        good_for="irregular holes in faces of about 256 pixels; trained on CelebA-HQ",
        use=CELEBA,
    ),
)
