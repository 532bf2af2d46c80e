"""Inventory of an ONNX folder's bytes: codes, scales, biases, floats, graph and padding.

Read from the files alone; knows neither the plan nor a runtime. The parts add up to the size of the
files, so that every byte is accounted for.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import onnx

from whisper_qat.errors import InputError
from whisper_qat.export.onnx.external_data import read_tensor
from whisper_qat.model.onnx_files import CROSS_FILE, STEP_FILE

SUBFOLDER = "onnx"  # where transformers.js looks for the graphs
PARTS = {
    ".weight_q": "codes", ".factors": "factors", ".scales": "scales", ".bias": "bias",
    ".weight": "weight",
}  # fmt: skip
CONSTANT = "constant"
SMALL_BYTES = 1024  # for smaller tensors the names around the copies take as much as the copies


@dataclass(frozen=True, kw_only=True)
class Stored:
    """One initializer as stored; `digest` covers its bytes without alignment padding."""

    file: str
    name: str
    dtype: str
    bytes: int
    place: tuple[str, int] | None  # data file and offset; None inside the graph's own file
    digest: str

    @property
    def layer(self) -> str:
        """The layer it belongs to, without the part; for a constant, its own name."""
        return self.name.removesuffix(self._suffix)

    @property
    def part(self) -> str:
        """Which part of the layer it is: codes, factors, scales, bias, weight or constant."""
        return PARTS.get(self._suffix, CONSTANT)

    @property
    def _suffix(self) -> str:
        return next((suffix for suffix in PARTS if self.name.endswith(suffix)), "")


@dataclass(frozen=True, kw_only=True)
class Inventory:
    """The `tensors` of all graphs, and the bytes of nodes, names and page padding around them."""

    tensors: tuple[Stored, ...]
    files: dict[str, int]
    graph_bytes: int
    padding_bytes: int

    @property
    def total(self) -> int:
        return sum(self.files.values())


def graph_files(folder: Path) -> list[Path]:
    """The .onnx files of `folder` or of its onnx/; InputError when there are none."""
    for place in (folder, folder / SUBFOLDER):
        if found := sorted(place.glob("*.onnx")):
            return found
    raise InputError(f"{folder}: no .onnx file there; give a folder written by convert")


def take(folder: Path) -> Inventory:
    """The inventory of `folder`; InputError when a data file is incomplete."""
    graphs = graph_files(folder)
    root = graphs[0].parent
    # The engine's graphs hold the merged one's tensors: large ones by reference, small ones inside.
    own = [path for path in graphs if path.name not in (STEP_FILE, CROSS_FILE)]
    tensors = [tensor for path in own for tensor in stored_tensors(path)]
    inline = sum(tensor.bytes for tensor in tensors if tensor.place is None)
    # Tensors at the same offset of a data file share their bytes.
    placed = {t.place: t.bytes for t in tensors if t.place is not None}
    files = {p.name: p.stat().st_size for p in sorted(root.iterdir()) if ".onnx" in p.name}
    graph_bytes = sum(path.stat().st_size for path in graphs)
    return Inventory(
        tensors=tuple(tensors),
        files=files,
        graph_bytes=graph_bytes - inline,
        padding_bytes=sum(files.values()) - graph_bytes - sum(placed.values()),
    )


def stored_tensors(path: Path) -> Iterator[Stored]:
    """The initializers of the graph file `path`, those inside branches included."""
    for tensor in initializers(onnx.load(str(path), load_external_data=False).graph):
        content = read_tensor(tensor, path.parent)
        entries = {entry.key: entry.value for entry in tensor.external_data}
        yield Stored(
            file=path.name,
            name=tensor.name,
            dtype=str(content.dtype),
            bytes=content.nbytes,
            place=(entries["location"], int(entries["offset"])) if entries else None,
            digest=hashlib.sha256(content.tobytes()).hexdigest(),
        )


def initializers(graph: onnx.GraphProto) -> Iterator[onnx.TensorProto]:
    yield from graph.initializer
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.type == onnx.AttributeProto.GRAPH:
                yield from initializers(attribute.g)


def duplicates(tensors: Iterable[Stored]) -> list[list[Stored]]:
    """Groups of equal tensors (from `SMALL_BYTES`) stored more than once, largest waste first.

    Several names for the same offset of a data file count as stored once.
    """
    large = [tensor for tensor in tensors if tensor.bytes >= SMALL_BYTES]
    places: dict[object, Stored] = {t.place or (t.file, t.name): t for t in large}
    groups: dict[str, list[Stored]] = {}
    for tensor in places.values():
        groups.setdefault(tensor.digest, []).append(tensor)
    return sorted((g for g in groups.values() if len(g) > 1), key=wasted_bytes, reverse=True)


def wasted_bytes(group: list[Stored]) -> int:
    """Bytes taken by all copies but the first."""
    return sum(tensor.bytes for tensor in group[1:])
