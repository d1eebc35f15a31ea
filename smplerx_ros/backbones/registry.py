"""The backbones: one frozen entry each. Adding a size is one entry."""

from __future__ import annotations

from dataclasses import dataclass

from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

PATCH = 16  # pixels of the crop per cell of the feature map
GRID_HEIGHT, GRID_WIDTH = CROP_HEIGHT // PATCH, CROP_WIDTH // PATCH

SMPLER_X = "smpler_x"
SMPLEST_X = "smplest_x"
LITE = "lite"

# Task tokens: shape, camera, expression, jaw, two unused, 25 of the body / one per group of the decoder.
_SMPLER_X_TOKENS, _SMPLEST_X_TOKENS = 31, 80
_SMPLER_X_PAGE = "https://github.com/SMPLCap/SMPLer-X"
_SMPLEST_X_PAGE = "https://github.com/SMPLCap/SMPLest-X"
_NON_COMMERCIAL = "S-Lab License 1.0 (non-commercial)"  # LICENSE on that page
# Its page's README names none.
_UNKNOWN_LICENCE = "licence: see its page (unverified; take it for non-commercial)"


@dataclass(frozen=True)
class BackboneSpec:
    """What there is to know of a backbone without its weights.

    `mpe_mm` is the mean of the primary errors on AGORA, EgoBody, UBody, 3DPW and EHF, and `v100_fps` the speed on one
    V100 at batch 1; both as published on `page`, not measured here. `box_ratio`: how much a person's box grows before
    the crop.
    """

    name: str
    family: str
    licence: str
    page: str
    checkpoint: str = ""  # published file name
    embed_dim: int = 0
    depth: int = 0
    heads: int = 0
    tokens: int = 0
    box_channels: int = 256  # of the head that finds hands and face
    drop_path: float = 0.0  # training only, largest of a linear schedule
    box_ratio: float = 1.25
    mpe_mm: float | None = None
    v100_fps: float | None = None

    @property
    def needs_weights(self) -> bool:
        """Whether the user must bring a checkpoint or a bundle."""
        return self.family != LITE


def _smpler_x(
    name: str, dims: tuple[int, int, int], drop_path: float, mpe: float, fps: float, file: str = ""
) -> BackboneSpec:
    embed_dim, depth, heads = dims
    return BackboneSpec(
        name=name,
        family=SMPLER_X,
        licence=_NON_COMMERCIAL,
        page=_SMPLER_X_PAGE,
        checkpoint=file or f"smpler_x_{name}.pth.tar",
        embed_dim=embed_dim,
        depth=depth,
        heads=heads,
        tokens=_SMPLER_X_TOKENS,
        drop_path=drop_path,
        mpe_mm=mpe,
        v100_fps=fps,
    )


_HUGE = (1280, 32, 16)
# Not of the authors: SMPLer-X's structure, small enough to be trained on a CPU in minutes; see docs/howto/training.md.
_TINY = BackboneSpec(
    "tiny",
    SMPLER_X,
    "Apache-2.0 (the code; weights are those of whoever trains them)",
    "docs/howto/training.md",
    embed_dim=96,
    depth=3,
    heads=3,
    tokens=_SMPLER_X_TOKENS,
    box_channels=8,
)
_ENTRIES = (
    BackboneSpec("lite", LITE, "Apache-2.0", "docs/explanation/lite.md"),
    _smpler_x("s32", (384, 12, 12), 0.1, mpe=82.6, fps=36.17),
    _smpler_x("b32", (768, 12, 12), 0.3, mpe=74.3, fps=33.09),
    _smpler_x("l32", (1024, 24, 16), 0.5, mpe=66.2, fps=24.44),
    _smpler_x("h32", _HUGE, 0.55, mpe=63.0, fps=17.47),
    # The re-release of H32 (2024-03-29): the same network with other weights. The page does not name the file: this is
    # what users of the authors' Hugging Face repository caizhongang/SMPLer-X call it.
    _smpler_x("h32*", _HUGE, 0.55, mpe=59.7, fps=17.47, file="smpler_x_h32_correct.pth.tar"),
    BackboneSpec(
        name="smplest_x_h",
        family=SMPLEST_X,
        licence=_UNKNOWN_LICENCE,
        page=_SMPLEST_X_PAGE,
        checkpoint="smplest_x_h.pth.tar",
        embed_dim=_HUGE[0],
        depth=_HUGE[1],
        heads=_HUGE[2],
        tokens=_SMPLEST_X_TOKENS,
        drop_path=0.55,
        box_ratio=1.2,
    ),
    _TINY,
)
BACKBONES: dict[str, BackboneSpec] = {entry.name: entry for entry in _ENTRIES}


def get_backbone(name: str) -> BackboneSpec:
    """Entry of `name`; ConfigError lists the choices."""
    try:
        return BACKBONES[name]
    except KeyError:
        raise ConfigError(f"backbone {name!r} is unknown; choose one of {', '.join(BACKBONES)}") from None


def same_network(a: BackboneSpec, b: BackboneSpec) -> bool:
    """Whether one checkpoint fits both."""
    return (a.family, a.embed_dim, a.depth, a.tokens) == (b.family, b.embed_dim, b.depth, b.tokens)
