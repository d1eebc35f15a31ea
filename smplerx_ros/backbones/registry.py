"""Registry of backbones: one entry for each."""

from __future__ import annotations

from dataclasses import dataclass

from smplerx_ros.errors import ConfigError
from smplerx_ros.geometry.constants import CROP_HEIGHT, CROP_WIDTH

PATCH = 16  # pixels of the crop per cell of the feature map
GRID_HEIGHT, GRID_WIDTH = CROP_HEIGHT // PATCH, CROP_WIDTH // PATCH

SMPLER_X = "smpler_x"
SMPLEST_X = "smplest_x"
LITE = "lite"

# Task tokens: shape, camera, expression, jaw, two unused, 25 of the body; or one per group of the decoder.
_SMPLER_X_TOKENS, _SMPLEST_X_TOKENS = 31, 80
_SMPLER_X_PAGE = "https://github.com/SMPLCap/SMPLer-X"
_SMPLEST_X_PAGE = "https://github.com/SMPLCap/SMPLest-X"
_NON_COMMERCIAL = "S-Lab License 1.0 (non-commercial)"  # LICENSE on that page
# The README on its page names none.
_UNKNOWN_LICENCE = "licence: see its page (unverified; assume non-commercial)"


@dataclass(frozen=True)
class BackboneSpec:
    """Static description of a backbone.

    `mpe_mm` is the mean of the primary errors on AGORA, EgoBody, UBody, 3DPW and EHF, and `v100_fps` the speed on one
    V100 at batch size 1; both as published on `page`, not measured here.
    """

    name: str
    family: str
    licence: str
    page: str
    checkpoint: str = ""  # name of the published file
    embed_dim: int = 0
    depth: int = 0
    heads: int = 0
    tokens: int = 0
    box_channels: int = 256  # of the head that predicts the boxes of hands and face
    drop_path: float = 0.0  # maximum rate of a linear schedule, in training
    box_ratio: float = 1.25  # enlargement of a person's box before cropping
    mpe_mm: float | None = None
    v100_fps: float | None = None

    @property
    def needs_weights(self) -> bool:
        """Whether the user must provide a checkpoint or a bundle."""
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
# Not published by the authors: SMPLer-X's architecture, small enough to be trained on a CPU in minutes; see
# docs/howto/training.md.
_TINY = BackboneSpec(
    "tiny",
    SMPLER_X,
    "Apache-2.0 (the code; weights belong to whoever trains them)",
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
    # The re-release of H32 (2024-03-29): the same network with other weights. The page does not name the file; this is
    # its name according to users of the authors' Hugging Face repository caizhongang/SMPLer-X.
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
    """Get the entry of a backbone.

    Raises:
        ConfigError: If the name is unknown.
    """
    try:
        return BACKBONES[name]
    except KeyError:
        raise ConfigError(f"backbone {name!r} is unknown; choose one of {', '.join(BACKBONES)}") from None


def same_network(a: BackboneSpec, b: BackboneSpec) -> bool:
    """Whether both backbones can load the same checkpoint."""
    return (a.family, a.embed_dim, a.depth, a.tokens) == (b.family, b.embed_dim, b.depth, b.tokens)
