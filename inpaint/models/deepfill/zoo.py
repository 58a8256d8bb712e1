"""Public weights of DeepFillv2."""

from inpaint.weights.public import CELEBA, MMAGIC, PLACES, Digest, PublicWeights

FOLDER = "https://download.openmmlab.com/mmediting/inpainting/deepfillv2"

ROWS = (
    PublicWeights(
        name="deepfill-places",
        model="deepfill",
        publisher=MMAGIC,
        url=f"{FOLDER}/deepfillv2_256x256_8x2_places_20200619-10d15793.pth",
        digest=Digest("sha256", "10d15793"),
        good_for="free-form holes in photos of about 256 pixels; trained on Places",
        use=PLACES,
    ),
    PublicWeights(
        name="deepfill-celebahq",
        model="deepfill",
        publisher=MMAGIC,
        url=f"{FOLDER}/deepfillv2_256x256_8x2_celeba_20200619-c96e5f12.pth",
        digest=Digest("sha256", "c96e5f12"),
        good_for="free-form holes in faces of about 256 pixels; trained on CelebA-HQ",
        use=CELEBA,
    ),
)
