"""Public weights of LaMa's generators."""

from inpaint.weights.public import ARCHIVE, PLACES, Digest, PublicWeights, Publisher

RELEASES = "https://github.com/Sanster/models/releases/download"

ROWS = (
    PublicWeights(
        name="lama-places",
        model="lama",
        publisher=Publisher(
            origin="advimman",
            page="https://github.com/advimman/lama",
            weights_license="none of their own; an author points to the Apache-2.0 of the code",
            code_license="Apache-2.0",
        ),
        url=f"{RELEASES}/add_big_lama/big-lama.pt",
        form=ARCHIVE,
        size_bytes=205_669_692,
        digest=Digest("sha256", "344c77bbcb158f17dd143070d1e789f38a66c04202311ae3a258ef66667a9ea9"),
        good_for="large holes in photos of any size; big-lama, trained on Places",
        use=PLACES,
    ),
    PublicWeights(
        name="lama-anime",
        model="lama",
        publisher=Publisher(
            origin="advimman",
            page="https://huggingface.co/dreMaz/AnimeMangaInpainting",
            weights_license="not known, see their page",
            code_license="Apache-2.0",
        ),
        url=f"{RELEASES}/AnimeMangaInpainting/anime-manga-big-lama.pt",
        form=ARCHIVE,
        size_bytes=205_717_870,
        digest=Digest("sha256", "479d3afdcb7ed2fd944ed4ebcc39ca45b33491f0f2e43eb1000bd623cfb41823"),
        good_for="drawings, manga and anime; big-lama, trained further on such images",
        use="nothing is known: ask those who publish them",
    ),
)
