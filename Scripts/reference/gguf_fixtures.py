#!/usr/bin/env python3
r"""Records model files written by the reference implementations, and the fp32 values in them.

    pip install gguf==0.19.0 numpy==2.4.6 safetensors==0.8.0
    python Scripts/reference/gguf_fixtures.py Tests/LanguageModelsTests/Fixtures/files \
        .deps/models/SmolLM2-135M-Instruct.Q4_1.gguf

types.gguf               tensors of the plain types, one of IQ4_XS, metadata of every type
types.safetensors        the same tensors as `gguf.dequantize` gives them, fp32
quants.gguf              a tensor of each further readable type: Q5_0, Q5_1, Q2_K to Q6_K
quants.safetensors       the same tensors as `gguf.dequantize` gives them, fp32
dtypes.safetensors       a tensor of each dtype
dtypes-f32.safetensors   the same tensors as numpy converts them, fp32
default-model.json       a checksum of the default model's weights, as `gguf.dequantize` gives them
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import gguf
import numpy as np
import safetensors
from gguf import GGMLQuantizationType as Type
from gguf import GGUFValueType as Value
from safetensors.numpy import save_file

SEED = 20261122

# Halves for scales: ordinary, both signs, zeros, smallest and largest subnormal, smallest normal,
# largest. No infinity: that case needs no reference.
HALVES = np.array(
    [0x0000, 0x8000, 0x0001, 0x83FF, 0x0400, 0x8401, 0x2E66, 0xB123, 0x3C00, 0xBC01, 0x7BFF,
     0xFBFF],
    dtype=np.uint16,
)

# Where a block's half-precision scales begin, in bytes, and how many there are.
SCALES = {
    Type.Q4_0: (0, 1), Type.Q4_1: (0, 2), Type.Q5_0: (0, 1), Type.Q5_1: (0, 2), Type.Q8_0: (0, 1),
    Type.Q2_K: (80, 2), Type.Q3_K: (108, 1), Type.Q4_K: (0, 2), Type.Q5_K: (0, 2),
    Type.Q6_K: (208, 1),
}


def blocks(rng, rows, columns, type_):
    """Random bytes of a quantised tensor, its half-precision scales drawn from HALVES."""
    elements, size = gguf.GGML_QUANT_SIZES[type_]
    raw = rng.integers(0, 256, (rows, columns // elements, size), dtype=np.uint8)
    start, scales = SCALES.get(type_, (0, 0))
    if scales:
        drawn = rng.choice(HALVES, (rows, columns // elements, scales))
        bytes_ = drawn.astype("<u2").view(np.uint8).reshape(rows, -1, 2 * scales)
        raw[:, :, start : start + 2 * scales] = bytes_
    return raw.reshape(rows, -1)


def write_gguf(folder, rng):
    writer = gguf.GGUFWriter(str(folder / "types.gguf"), "llama")
    writer.add_string("test.string", "Grüße, 世界 \U0001f9ea")
    for name, value in [("uint8", 250), ("int8", -5), ("uint16", 65000), ("int16", -30000),
                        ("uint32", 4000000000), ("int32", -2000000000),
                        ("uint64", 2**64 - 1), ("int64", -(2**63))]:
        writer.add_key_value(f"test.{name}", value, Value[name.upper()])
    writer.add_float32("test.float32", 1e-5)
    writer.add_float64("test.float64", 1e-5)
    writer.add_bool("test.bool", True)
    writer.add_array("test.strings", ["Ġthe", "", "é"])
    writer.add_array("test.ints", [1, -2, 3])
    writer.add_array("test.floats", [0.5, -1.25])
    writer.add_array("test.bools", [True, False])
    writer.add_array("test.nested", [[1, 2], [3]])

    floats = rng.standard_normal((3, 5)).astype(np.float32)
    tensors = {
        "f32": (floats, Type.F32),
        "f16": (rng.integers(0, 0x7C00, (3, 5)).astype(np.uint16).view(np.float16), Type.F16),
        "bf16": (rng.integers(0, 0x7F80, (3, 5)).astype("<u2").view(np.uint8), Type.BF16),
        "cube": (rng.standard_normal((2, 3, 4)).astype(np.float32), Type.F32),
    }
    for type_ in (Type.Q8_0, Type.Q4_0, Type.Q4_1):
        tensors[type_.name.lower()] = (blocks(rng, 6, 128, type_), type_)
    values = {}
    for name, (data, type_) in tensors.items():
        writer.add_tensor(name, data, raw_dtype=type_)
        values[name] = np.ascontiguousarray(gguf.dequantize(data, type_), dtype=np.float32)
    writer.add_tensor("unreadable", blocks(rng, 1, 256, Type.IQ4_XS), raw_dtype=Type.IQ4_XS)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    # One key, since safetensors writes several in random order.
    recorded = f"gguf {version('gguf')}, numpy {np.__version__}, seed {SEED}"
    save_file(values, folder / "types.safetensors", {"recorded": recorded})


def write_quants(folder, rng):
    """Random blocks: scales small and large, and weights of every bit pattern."""
    writer = gguf.GGUFWriter(str(folder / "quants.gguf"), "llama")
    values = {}
    for type_ in (Type.Q5_0, Type.Q5_1, Type.Q2_K, Type.Q3_K, Type.Q4_K, Type.Q5_K, Type.Q6_K):
        elements = gguf.GGML_QUANT_SIZES[type_][0]
        data = blocks(rng, 2, elements * (32 if elements == 32 else 8), type_)
        writer.add_tensor(type_.name, data, raw_dtype=type_)
        values[type_.name] = np.ascontiguousarray(gguf.dequantize(data, type_), dtype=np.float32)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    recorded = f"gguf {version('gguf')}, numpy {np.__version__}, seed {SEED}"
    save_file(values, folder / "quants.safetensors", {"recorded": recorded})


def write_safetensors(folder, rng):
    def whole(kind):
        limits = np.iinfo(kind)
        return rng.integers(limits.min, limits.max, (2, 3), dtype=kind, endpoint=True)

    arrays = {f"I{width}": whole(f"int{width}") for width in (8, 16, 32, 64)}
    arrays |= {f"U{width}": whole(f"uint{width}") for width in (8, 16, 32, 64)}
    arrays["BOOL"] = rng.integers(0, 2, (2, 3)).astype(bool)
    arrays["F16"] = rng.integers(0, 0x7C00, (2, 3)).astype(np.uint16).view(np.float16)
    arrays["F32"] = rng.standard_normal((2, 3)).astype(np.float32)
    arrays["F64"] = rng.standard_normal((2, 3))
    arrays["empty"] = np.zeros((0, 4), np.float32)
    arrays["scalar"] = np.array(0.1, np.float32)
    values = {name: array.astype(np.float32) for name, array in arrays.items()}
    # numpy has no bfloat16: its bits are the upper half of a float's.
    arrays["BF16"] = rng.integers(0, 0x7F80, (2, 3)).astype(np.uint16)
    values["BF16"] = (arrays["BF16"].astype(np.uint32) << 16).view(np.float32)

    note = {"note": 'a "quoted"\n\\é\x01/'}
    specs = {
        name: safetensors.TensorSpec(
            dtype="bfloat16" if name == "BF16" else array.dtype.name,
            shape=array.shape, data_ptr=array.ctypes.data, data_len=array.nbytes)
        for name, array in arrays.items()
    }
    safetensors.serialize_file(specs, folder / "dtypes.safetensors", note)
    save_file(values, folder / "dtypes-f32.safetensors", note)


def write_checksum(folder, model):
    reader = gguf.GGUFReader(model)
    weights, checksum = 0, np.uint64(0)
    for tensor in reader.tensors:
        values = gguf.dequantize(tensor.data, tensor.tensor_type).astype(np.float32).ravel()
        place = np.arange(values.size, dtype=np.uint64) % np.uint64(65521) + np.uint64(1)
        weights += values.size
        checksum += np.sum(values.view(np.uint32) * place, dtype=np.uint64)
    # Strings: a checksum of 64 bits does not survive every JSON reader.
    keys = sum(not name.startswith("GGUF.") for name in reader.fields)
    record = {"keys": str(keys), "weights": str(weights), "checksum": str(checksum)}
    (folder / "default-model.json").write_text(json.dumps(record) + "\n")


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(SEED)
    write_gguf(folder, rng)
    write_safetensors(folder, rng)
    write_quants(folder, rng)
    write_checksum(folder, sys.argv[2])


if __name__ == "__main__":
    main()
