"""Public weights of GLCIC."""

from inpaint.weights.public import CELEBA, MMAGIC, PLACES, Digest, PublicWeights

FOLDER = "https://download.openmmlab.com/mmediting/inpainting/global_local"

ROWS = (
    PublicWeights(
        name="glcic-places",
        model="glcic",
        publisher=MMAGIC,
        url=f"{FOLDER}/gl_256x256_8x12_places_20200619-52a040a8.pth",
        digest=Digest("sha256", "52a040a8"),
        good_for="boxes of up to half the side in photos of about 256 pixels; trained on Places",
        use=PLACES,
    ),
    PublicWeights(
        name="glcic-celebahq",
        model="glcic",
        publisher=MMAGIC,
        url=f"{FOLDER}/gl_256x256_8x12_celeba_20200619-5af0493f.pth",
        digest=Digest("sha256", "5af0493f"),
        good_for="boxes of up to half the side in faces of about 256 pixels; trained on CelebA-HQ",
        use=CELEBA,
    ),
)
