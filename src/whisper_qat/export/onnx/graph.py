"""Builder for an ONNX graph: named nodes and values, initializers always in the outermost graph.

Built by hand rather than traced: Whisper is convolutions, norms, attention and MLPs; a hand-built
graph gives each node its layer's name, one decoder body for both kinds of step, and weights that
stream to disk. A branch of `If` is a child graph; its initializers are stored in the root, so that
a weight used by two branches is stored once.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import helper

from whisper_qat.export.onnx.external_data import ExternalData

OPSET = 21
IR_VERSION = 10  # the first with opset 21
MICROSOFT = "com.microsoft"


class Graph:
    """A graph being built, nodes in order; `op` adds a node and returns its output name."""

    def __init__(self, name: str, data: ExternalData, root: "Graph | None" = None) -> None:
        self.name = name
        self.root = root or self
        self._data = data
        self._nodes: list[onnx.NodeProto] = []
        self._initializers: dict[str, onnx.TensorProto] = {}
        self._inputs: list[onnx.ValueInfoProto] = []
        self._outputs: list[onnx.ValueInfoProto] = []
        self._counts: dict[str, int] = {}
        self._shared: dict[str, tuple[str, ...]] = {}

    def branch(self, name: str) -> "Graph":
        """A child graph for one branch of `If`, which can read every value of this graph."""
        return Graph(name, self._data, self.root)

    def input(self, name: str, dtype: int, shape: Sequence[int | str]) -> str:
        self._inputs.append(helper.make_tensor_value_info(name, dtype, shape))
        return name

    def output(self, value: str, name: str, dtype: int, shape: Sequence[int | str] | None) -> None:
        """Gives `value` the public name `name`."""
        if value != name:
            self.op("Identity", value, name=f"{name}/output", outputs=[name])
        self._outputs.append(helper.make_tensor_value_info(name, dtype, shape))

    def initializer(self, name: str, array: np.ndarray) -> str:
        """Stores `array` in the root under `name`, once per name."""
        assert name not in self.root._initializers, name
        self.root._initializers[name] = self._data.tensor(name, array)
        return name

    def stored(self, name: str, array: np.ndarray) -> str:
        """Like `initializer`, but a float16 array is cast to float32, in which all kernels compute.

        onnxruntime folds the cast when it loads the model.
        """
        stored = self.initializer(name, array)
        if array.dtype != np.float16:
            return stored
        # In the root, where a branch of `If` sees it and the constant is folded once.
        return self.root.op("Cast", stored, name=f"{name}/float32", to=onnx.TensorProto.FLOAT)

    def constant(self, value: Any, dtype: type = np.int64) -> str:
        """A small shared constant, named by its value."""
        array: np.ndarray = np.asarray(value, dtype=dtype)
        name = f"constant/{array.dtype}/{array.shape}/{array.tolist()}".replace(" ", "")
        return name if name in self.root._initializers else self.initializer(name, array)

    def op(
        self,
        op_type: str,
        *inputs: str,
        name: str = "",
        domain: str = "",
        outputs: list[str] | None = None,
        metadata: Mapping[str, str] | None = None,
        **attributes: Any,
    ) -> str:
        """Adds a node and returns its first output; unnamed nodes are numbered by their type.

        `metadata` is stored with the node; runtimes ignore it.
        """
        name = name or self._fresh(op_type)
        outputs = outputs or [f"{name}/out"]
        node = helper.make_node(op_type, list(inputs), outputs, name, domain=domain, **attributes)
        for key, value in (metadata or {}).items():
            node.metadata_props.add(key=key, value=value)
        self._nodes.append(node)
        return outputs[0]

    def once(self, key: str, build: Callable[[], tuple[str, ...]]) -> tuple[str, ...]:
        """Calls `build` on the first use of `key` and returns that result for every later use."""
        if key not in self._shared:
            self._shared[key] = build()
        return self._shared[key]

    def _fresh(self, op_type: str) -> str:
        counts = self.root._counts
        counts[op_type] = counts.get(op_type, 0) + 1
        return f"{op_type}_{counts[op_type]}"

    def proto(self) -> onnx.GraphProto:
        return helper.make_graph(
            self._nodes,
            self.name,
            self._inputs,
            self._outputs,
            list(self._initializers.values()),
        )

    def save(self, path: Path) -> None:
        """Writes the model file; its external data is already on disk."""
        opsets = [helper.make_opsetid("", OPSET), helper.make_opsetid(MICROSOFT, 1)]
        model = helper.make_model(
            self.proto(), opset_imports=opsets, ir_version=IR_VERSION, producer_name="whisper-qat"
        )
        path.write_bytes(model.SerializeToString(deterministic=True))
