"""Configuration of Sphinx for `make docs` (scripts/docs.sh) and for rosdoc2."""

from __future__ import annotations

import os
import re
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any


def repository() -> Path:
    """The repository; rosdoc2 copies docs/ elsewhere, with a configuration of its own that executes this one."""
    here = Path(__file__).resolve()
    wrapper = re.search(r"""^exec\(open\(["'](.+?)["']\)""", here.read_text(encoding="utf-8"), re.MULTILINE)
    return (Path(wrapper[1]) if wrapper else here).parents[1]


ROOT = repository()
sys.path.insert(0, str(ROOT))
sys.dont_write_bytecode = True

import smplerx_ros  # noqa: E402

project = "smplerx_ros"
author = "smplerx_ros maintainers"
copyright = author
version = release = smplerx_ros.__version__


def installed(*modules: str) -> list[str]:
    """Those of the extensions that are there: rosdoc2 has an environment of its own."""
    return [module for module in modules if find_spec(module)]


extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", *installed("sphinx_copybutton")]
exclude_patterns = ["examples/README.md"]
html_theme = next(iter(installed("furo", "sphinx_rtd_theme")), "alabaster")
html_title = f"{project} {version}"
templates_path: list[str] = []

myst_enable_extensions = ["deflist", "colon_fence", "attrs_block"]
myst_heading_anchors = 4
copybutton_prompt_text = r"\$ "
linkcheck_timeout = 20
linkcheck_ignore = [r"http://127\.0\.0\.1.*", r"https://github\.com/.*<owner>.*"]

# What the public names need when they are imported, but not to be documented.
MOCKED = ["av", "cv2", "onnxruntime", "PIL", "pi_heif", "rclpy", "scipy", "torch"]
MOCKED += [
    "builtin_interfaces",
    "geometry_msgs",
    "sensor_msgs",
    "smplerx_ros.msg",
    "std_msgs",
    "vision_msgs",
]
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
napoleon_google_docstring = True
napoleon_numpy_docstring = False
default_role = "literal"  # docstrings write `names` as Markdown does
nitpicky = True
nitpick_ignore_regex = [("py:.*", r"(?!smplerx_ros\.\w+$).*")]  # in signatures: types of NumPy and Python, aliases

PUBLIC = frozenset(smplerx_ros._PUBLIC)


def resolve_public(app: Any, env: Any, node: Any, contnode: Any) -> Any:
    """Link names in signatures (`Person`, `smplerx_ros.types.Person`) to where the reference has them."""
    name = re.sub(r"^.*\.", "", node.get("reftarget", ""))
    if node.get("refdomain") != "py" or name not in PUBLIC:
        return None
    domain = env.get_domain("py")
    kind = "func" if name.startswith("load_") else "class"
    return domain.resolve_xref(env, node["refdoc"], app.builder, kind, f"smplerx_ros.{name}", node, contnode)


def link_files(app: Any, docname: str, source: list[str]) -> None:
    """Make links to files outside docs/ downloads: Sphinx takes Markdown files for missing pages."""
    folder, there = (ROOT / "docs" / docname).parent, Path(app.srcdir, docname).parent

    def download(link: re.Match[str]) -> str:
        target = Path(os.path.normpath(folder / link[2]))
        if target.is_relative_to(ROOT / "docs"):
            return link[0]
        return f"{link[1]}path:{os.path.relpath(target, there)}"

    target = r"(\]\(|^\[[^\]]+\]: +)((?:\.\./)+[^)#\s]+)(?:#[^)\s]*)?"
    text = re.sub(target, download, source[0], flags=re.MULTILINE)
    source[0] = text.replace(".. include:: ../", f".. include:: {os.path.relpath(ROOT, there)}/")


def mock_imports(_: Any, config: Any) -> None:
    """Mock modules; rosdoc2 would replace this setting by one of its own."""
    config.autodoc_mock_imports = MOCKED


def setup(app: Any) -> None:
    """Called by Sphinx."""
    app.connect("source-read", link_files)
    app.connect(
        "config-inited", lambda _, config: setattr(config, "autodoc_mock_imports", MOCKED)
    )  # rosdoc2 has its own
    app.connect("missing-reference", resolve_public)
