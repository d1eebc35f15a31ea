"""Client of viser's protocol in place of a browser: connects, sends its camera, and stores the scene it receives."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import msgspec
import numpy as np
import viser
import zstandard
from websockets.sync.client import connect
from websockets.typing import Subprotocol

WAIT_S = 30.0
CAMERA = {"wxyz": (1, 0, 0, 0), "position": (0, 0, 0), "fov": 1.0, "near": 0.1, "far": 100.0}
CAMERA |= {"image_height": 100, "image_width": 100, "look_at": (0, 0, 1), "up_direction": (0, -1, 0)}


class ViserClient:
    """A connected client.

    Attributes:
        nodes: Scene nodes by name, with their properties, and their `position` where one was set.
        panel: Properties of the GUI elements by uuid.
        world: Orientation (w, x, y, z) of the root.
    """

    def __init__(self, url: str) -> None:
        protocol = Subprotocol(f"viser-v{viser.__version__}")
        self._socket = connect(url.replace("http://", "ws://"), subprotocols=[protocol], max_size=None)
        self.nodes: dict[str, dict[str, Any]] = {}
        self.panel: dict[str, dict[str, Any]] = {}
        self.world: list[float] | None = None
        self.send("ViewerCameraMessage", **CAMERA)

    def __enter__(self) -> ViserClient:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, kind: str, **fields: Any) -> None:
        self._socket.send(msgspec.msgpack.encode({"type": kind, **fields}))

    def switch(self, label: str, value: bool) -> None:
        """Set a checkbox."""
        (uuid,) = [uuid for uuid, props in self.panel.items() if props.get("label") == label]
        self.send("GuiUpdateMessage", uuid=uuid, updates={"value": value})

    def text(self) -> str:
        """Return the HTML content of the panel."""
        return "\n".join(props["content"] for props in self.panel.values() if "content" in props)

    def wait(self, reached: Callable[[], Any], timeout: float = WAIT_S) -> Any:
        """Receive messages until `reached()` is true, and return its value."""
        end = time.monotonic() + timeout
        while not (result := reached()):
            assert time.monotonic() < end, f"not reached within {timeout} s; nodes {sorted(self.nodes)}, {self.text()}"
            try:
                raw = self._socket.recv(timeout=0.1)
            except TimeoutError:
                continue
            for message in _decoded(bytes(raw)):
                self._take(message)
        return result

    def wait_closed(self, reached: Callable[[], Any]) -> None:
        """Wait until the server has noticed that this client has disconnected."""
        end = time.monotonic() + WAIT_S
        while not reached():
            assert time.monotonic() < end
            time.sleep(0.05)

    def _take(self, message: dict[str, Any]) -> None:
        kind, name = message["type"], message.get("name", "")
        if kind == "RemoveSceneNodeMessage":
            self.nodes = {n: node for n, node in self.nodes.items() if n != name and not n.startswith(f"{name}/")}
        elif kind == "SceneNodeUpdateMessage":
            self.nodes.setdefault(name, {}).update(message["updates"])
        elif kind == "SetPositionMessage":
            self.nodes.setdefault(name, {})["position"] = message["position"]
        elif kind == "SetOrientationMessage" and not name:
            self.world = message["wxyz"]
        elif kind == "SetSceneNodeVisibilityMessage":
            self.nodes.setdefault(name, {})["visible"] = message["visible"]
        elif kind == "GuiUpdateMessage":
            self.panel.setdefault(message["uuid"], {}).update(message["updates"])
        elif kind.startswith("Gui") and "props" in message:
            self.panel[message["uuid"]] = dict(message["props"])
        elif name and "props" in message:
            self.nodes.setdefault(name, {}).update(message["props"])


def _decoded(raw: bytes) -> list[dict[str, Any]]:
    """Decode the messages of one window: two lengths, compressed msgpack, and arrays at multiples of 8 bytes."""
    size, compressed = (int.from_bytes(raw[at : at + 8], "little") for at in (0, 8))
    inner = zstandard.ZstdDecompressor().decompress(raw[16 : 16 + compressed], max_output_size=size)
    window = msgspec.msgpack.decode(inner)
    buffers, at = [], 16 + compressed
    for length in window["binaryBufferLengths"]:
        at += -at % 8
        buffers.append(raw[at : at + length])
        at += length
    return [_with_arrays(message, buffers) for message in window["messages"]]


def _with_arrays(value: Any, buffers: list[bytes]) -> Any:
    if isinstance(value, dict):
        if "__binary_index" in value:
            return np.frombuffer(buffers[value["__binary_index"]], value["dtype"])
        return {key: _with_arrays(part, buffers) for key, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_arrays(part, buffers) for part in value]
    return value
