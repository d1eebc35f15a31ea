"""The 32 data sets on which SMPLer-X's foundation models are trained: sampling, and where to get them.

Each epoch takes the same number of samples from each set, whatever its size (strategy 'balance'): 4.5 million samples
from 32 sets are 140,625 from each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from smplerx_ros.errors import ConfigError

PEOPLE_PER_EPOCH = MappingProxyType({5: 750_000, 10: 1_500_000, 20: 3_000_000, 32: 4_500_000})
FINETUNE_PEOPLE_PER_EPOCH = 1_000_000
_FIRST_5 = ("MSCOCO", "AGORA", "BEDLAM", "SPEC", "GTA_Human2")
_NEXT_5 = ("SynBody", "PoseTrack", "EgoBody_Egocentric", "PROX", "CrowdPose")
_NEXT_10 = (
    *("UBody", "PW3D", "EgoBody_Kinect", "MPI_INF_3DHP", "RICH"),
    *("MuCo", "InstaVariety", "Behave", "UP3D", "ARCTIC"),
)
_LAST_12 = (
    *("MPII", "Human36M", "OCHuman", "CHI3D", "RenBody_HiRes", "MTP"),
    *("HumanSC3D", "RenBody", "FIT3D", "Talkshow", "SSP3D", "LSPET"),
)
_OWN_FORMAT = ("MSCOCO", "AGORA", "UBody", "PW3D", "MPII", "Human36M")  # the others are distributed as HumanData
_INTERVALS = {
    **{"BEDLAM": 5, "EgoBody_Kinect": 10, "UBody": 10, "MPI_INF_3DHP": 5, "InstaVariety": 10},
    **{"RenBody_HiRes": 5, "ARCTIC": 10, "FIT3D": 10, "Talkshow": 10},
}
_PAGES = {
    "MSCOCO": "https://cocodataset.org",
    "AGORA": "https://agora.is.tue.mpg.de",
    "BEDLAM": "https://bedlam.is.tue.mpg.de",
    "SPEC": "https://spec.is.tue.mpg.de",
    "GTA_Human2": "https://caizhongang.com/projects/GTA-Human",
    "SynBody": "https://synbody.github.io",
    "PoseTrack": "https://posetrack.net",
    "EgoBody_Egocentric": "https://sanweiliti.github.io/egobody/egobody.html",
    "EgoBody_Kinect": "https://sanweiliti.github.io/egobody/egobody.html",
    "PROX": "https://prox.is.tue.mpg.de",
    "CrowdPose": "https://github.com/Jeff-sjtu/CrowdPose",
    "UBody": "https://osx-ubody.github.io",
    "PW3D": "https://virtualhumans.mpi-inf.mpg.de/3DPW",
    "MPI_INF_3DHP": "https://vcai.mpi-inf.mpg.de/3dhp-dataset",
    "RICH": "https://rich.is.tue.mpg.de",
    "MuCo": "https://vcai.mpi-inf.mpg.de/projects/SingleShotMultiPerson",
    "InstaVariety": "https://github.com/akanazawa/human_dynamics",
    "Behave": "https://virtualhumans.mpi-inf.mpg.de/behave",
    "UP3D": "http://files.is.tuebingen.mpg.de/classner/up",
    "ARCTIC": "https://arctic.is.tue.mpg.de",
    "MPII": "http://human-pose.mpi-inf.mpg.de",
    "Human36M": "http://vision.imar.ro/human3.6m",
    "OCHuman": "https://github.com/liruilong940607/OCHumanApi",
    "CHI3D": "https://ci3d.imar.ro",
    "RenBody_HiRes": "https://dna-rendering.github.io",
    "MTP": "https://tuch.is.tue.mpg.de",
    "HumanSC3D": "https://sc3d.imar.ro",
    "RenBody": "https://dna-rendering.github.io",
    "FIT3D": "https://fit3d.imar.ro",
    "Talkshow": "https://talkshow.is.tue.mpg.de",
    "SSP3D": "https://github.com/akashsengupta1997/SSP-3D",
    "LSPET": "http://sam.johnson.io/research/lspet.html",
}
_ANNOTATIONS_PAGE = "https://github.com/SMPLCap/SMPLer-X"  # says where the HumanData files are
FINETUNE_RECIPES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "3dpw": ("PW3D", "GTA_Human2", "EgoBody_Kinect", "InstaVariety", "HumanSC3D"),
        "agora": ("AGORA", "GTA_Human2", "BEDLAM", "SynBody", "SPEC"),
        "arctic": ("MSCOCO", "ARCTIC", "BEDLAM", "EgoBody_Egocentric", "PoseTrack"),
        "egobody": ("MSCOCO", "EgoBody_Egocentric", "EgoBody_Kinect", "BEDLAM", "PROX"),
        "renbody": ("RenBody_HiRes", "RenBody", "BEDLAM", "SynBody", "CHI3D"),
        "ubody": ("UBody", "MSCOCO", "EgoBody_Egocentric", "PoseTrack", "Talkshow"),
    }
)


@dataclass(frozen=True)
class TrainingSet:
    """One training set."""

    name: str
    since: int  # smallest model family that includes it: 5, 10, 20 or 32 sets
    humandata: bool  # whether it is distributed as HumanData
    page: str  # web page of its images
    interval: int = 1  # every n-th person is used
    size: int | None = None  # people; None: unknown

    @property
    def where(self) -> str:
        """Where to get its files."""
        own = f"; {self.name} has its own format, convert it to HumanData" if not self.humandata else ""
        return f"images from {self.page}, annotations as {_ANNOTATIONS_PAGE} says{own}"

    @property
    def recipes(self) -> tuple[str, ...]:
        """Finetuning recipes that use it."""
        return tuple(name for name, sets in FINETUNE_RECIPES.items() if self.name in sets)


def _entries() -> dict[str, TrainingSet]:
    groups = {5: _FIRST_5, 10: _NEXT_5, 20: _NEXT_10, 32: _LAST_12}
    return {
        name: TrainingSet(name, since, name not in _OWN_FORMAT, _PAGES[name], _INTERVALS.get(name, 1))
        for since, names in groups.items()
        for name in names
    }


TRAINING_SETS: Mapping[str, TrainingSet] = MappingProxyType(_entries())


def training_sets(count: int) -> tuple[TrainingSet, ...]:
    """Return the training sets of a model family, e.g. 32 for H32.

    Raises:
        ConfigError: If `count` is not 5, 10, 20 or 32.
    """
    if count not in PEOPLE_PER_EPOCH:
        raise ConfigError(f"SMPLer-X was trained on {', '.join(map(str, PEOPLE_PER_EPOCH))} sets, not {count}")
    return tuple(entry for entry in TRAINING_SETS.values() if entry.since <= count)
