"""One-node onnxruntime sessions: the real kernels, as functions of numpy arrays."""

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, numpy_helper


def run_node(op_type, arrays, *, domain="", num_outputs=1, output_types=None, **attributes):
    """Outputs of one ONNX node; `arrays` are its inputs, the first fed, the others initializers."""
    names = [f"x{i}" if array is not None else "" for i, array in enumerate(arrays)]
    outputs = [f"y{i}" for i in range(num_outputs)]
    node = helper.make_node(op_type, names, outputs, domain=domain, **attributes)
    first = helper.np_dtype_to_tensor_dtype(arrays[0].dtype)
    types = output_types or [TensorProto.FLOAT] * num_outputs
    graph = helper.make_graph(
        [node],
        "one_node",
        [helper.make_tensor_value_info(names[0], first, arrays[0].shape)],
        [helper.make_tensor_value_info(n, t, None) for n, t in zip(outputs, types, strict=True)],
        [numpy_helper.from_array(a, n) for n, a in list(zip(names, arrays, strict=True))[1:] if n],
    )
    return run_graph(graph, {names[0]: arrays[0]})


def run_graph(graph, feeds):
    """Outputs of a graph on the CPU provider, one thread."""
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds)


def matmul_nbits(x, packed, scale, bits, block_size, bias=None, accuracy_level=4):
    """ORT's MatMulNBits: x [M, K], packed [N, blocks, bytes], scale [N, blocks] -> [M, N]."""
    inputs = [x, packed, scale.reshape(-1)] + ([None, None, bias] if bias is not None else [])
    return run_node(
        "MatMulNBits",
        inputs,
        domain="com.microsoft",
        K=x.shape[1],
        N=packed.shape[0],
        bits=bits,
        block_size=block_size,
        accuracy_level=accuracy_level,
    )[0]


def activation_codes(x, scale, block_size, bits):
    """The int8 codes that the kernel gives `x` [M, K], seen through it; `scale` [M, blocks].

    Weight row k is `top` at column k and 0 elsewhere, so y[:, k] = code[:, k] * scale * top. The
    kernel subtracts zero_point * sum(a) in float, which leaves an error of up to 0.1 of a code
    at `top` = 1; at the largest code that is far below the half that rounding needs (asserted).
    """
    length = x.shape[1]
    half, top = 2 ** (bits - 1), 2 ** (bits - 1) - 1
    codes = np.full((length, -(-length // block_size) * block_size), half, np.uint8)
    codes[np.arange(length), np.arange(length)] = half + top
    per_byte = 8 // bits
    packed = sum(codes[:, i::per_byte] << np.uint8(i * bits) for i in range(per_byte))
    packed = packed.astype(np.uint8).reshape(length, -(-length // block_size), -1)
    y = matmul_nbits(x, packed, np.ones(packed.shape[:2], np.float32), bits, block_size)
    step = np.repeat(scale, block_size, axis=1)[:, :length].astype(np.float64) * top
    value = np.divide(y, step, out=np.zeros(y.shape), where=step > 0)
    assert np.abs(value - np.rint(value)).max() < 0.01
    return np.rint(value)
