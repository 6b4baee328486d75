"""Arrays and tables as numpy, pandas, joblib and h5py save them.

    python make_arrays.py DIRECTORY
"""

import datetime
import pickle
import sys
from pathlib import Path

import h5py
import joblib
import numpy as np
import pandas as pd
import safetensors.numpy
import scipy.sparse

OUT = Path(sys.argv[1])
RNG = np.random.RandomState(0)
KINDS = {
    "float16": np.arange(6, dtype="f2").reshape(2, 3),
    "float64-fortran": np.asfortranarray(RNG.normal(size=(3, 4))),
    "big-endian": np.arange(4, dtype=">i4"),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j]),
    "text": np.array(["ab", "c"]),
    "bytes": np.array([b"ab", b"c"]),
    "dates": np.array(["2024-01-01", "NaT"], dtype="datetime64[D]"),
    "spans": np.array([1, 2], dtype="timedelta64[ms]"),
    "record": np.array([(1, 2.0, "x")], dtype=[("a", "i4"), ("b", "f8", (1,)), ("c", "U4")]),
    "scalar": np.array(3.0),
    "empty": np.zeros((0, 3)),
    "objects": np.array([{"a": 1}, None, [1, "two"]], dtype=object),
    "masked": np.ma.masked_array([1.0, 2.0], mask=[True, False]),
    "matrix": np.matrix([[1, 2]]),
}


def with_numpy():
    for name, array in KINDS.items():
        if name != "masked":  # numpy.save drops the mask
            np.save(OUT / f"{name}.npy", array, allow_pickle=True)
        for protocol in range(6):
            (OUT / f"{name}-{protocol}.pkl").write_bytes(pickle.dumps(array, protocol=protocol))
    plain = {name: array for name, array in KINDS.items() if name != "masked"}
    np.savez(OUT / "all.npz", **plain)
    np.savez_compressed(OUT / "all-compressed.npz", **plain)
    others = [np.float32(1), np.int8(2), np.str_("x"), np.datetime64("2024-01-01"), np.dtype("f4"), np.add, np.log1p,
              np.random.RandomState(0), np.random.default_rng(0), np.random.MT19937(0), np.random.Philox(0),
              np.random.SFC64(0), np.random.PCG64DXSM(0), np.random.SeedSequence(1), np.polynomial.Chebyshev([1, 2]),
              np.poly1d([1, 2]), np.nan, np.ma.masked, np.float64, np.bool_, slice(1, 2), np.char.array(["a"]),
              np.rec.array([(1, 2.0)], dtype=[("a", int), ("b", float)])]
    (OUT / "others.pkl").write_bytes(pickle.dumps(others))
    for kind in ["csr", "csc", "coo", "bsr", "dia", "lil", "dok"]:
        for flavour in ["matrix", "array"]:
            sparse = getattr(scipy.sparse, f"{kind}_{flavour}")(np.eye(3))
            (OUT / f"{kind}-{flavour}.pkl").write_bytes(pickle.dumps(sparse))
            if kind not in ("lil", "dok"):
                scipy.sparse.save_npz(OUT / f"{kind}-{flavour}.npz", sparse)


def with_pandas():
    frame = pd.DataFrame({
        "i": [1, 2], "f": [1.0, None], "s": ["a", None], "c": pd.Categorical(["x", "y"]),
        "d": pd.to_datetime(["2024-01-01", "2024-01-02"]), "z": pd.to_datetime(["2024-01-01", "2024-01-02"], utc=True),
        "t": pd.to_timedelta([1, 2], unit="s"), "p": pd.period_range("2024-01", periods=2, freq="M"),
        "n": pd.array([1, None], dtype="Int64"), "b": pd.array([True, None], dtype="boolean"),
        "v": pd.arrays.IntervalArray.from_breaks([0, 1, 2]), "q": pd.arrays.SparseArray([0, 1]),
        "o": [{"a": 1}, (1, 2)], "w": pd.array(["a", None], dtype="string[pyarrow]"),
        "e": pd.array([1.5, None], dtype="Float32"), "k": [datetime.date(2024, 1, 1), datetime.time(1, 2)],
        "y": pd.array(["a", None], dtype="string[python]"),
    })
    frame.index = pd.MultiIndex.from_tuples([("a", 1), ("b", 2)], names=["x", "y"])
    series = {
        "frame": frame, "series": frame["f"], "zone": frame["z"].dt.tz_convert("Europe/Berlin"), "index": frame.index,
        "range": pd.Series([1, 2]), "times": pd.date_range("2024-01-01", periods=3, freq="B"),
        "grouper": pd.Grouper(freq="D"), "stamp": [pd.Timestamp.now(), pd.NaT, pd.NA, pd.Timedelta(1), pd.Interval(0, 1)],
        "offset": pd.offsets.MonthEnd(2), "arrow": frame[["i", "f"]].convert_dtypes(dtype_backend="pyarrow"),
    }
    for name, value in series.items():
        for protocol in (2, 4, 5):
            pd.to_pickle(value, OUT / f"pandas-{name}-{protocol}.pkl", protocol=protocol)
    for ending in ["gz", "bz2", "xz", "zip", "tar"]:
        frame.to_pickle(OUT / f"pandas-frame.pkl.{ending}")
    frame[["i", "f"]].reset_index(drop=True).to_hdf(OUT / "fixed.h5", key="frame")
    frame[["i", "f", "d"]].reset_index(drop=True).to_hdf(OUT / "table.h5", key="frame", format="table")


def with_joblib():
    value = {"array": RNG.normal(size=(50, 20)), "objects": KINDS["objects"], "text": "words" * 50,
             "nested": [np.arange(5), pd.DataFrame({"a": [1, 2]})], "fortran": KINDS["float64-fortran"]}
    joblib.dump(value, OUT / "plain.joblib")
    for protocol in range(6):
        joblib.dump(value, OUT / f"protocol-{protocol}.joblib", protocol=protocol)
    for method in ["zlib", "gzip", "bz2", "lzma", "xz", "lz4"]:
        for level in (1, 9):
            joblib.dump(value, OUT / f"{method}-{level}.joblib", compress=(method, level))
    for ending in ["z", "gz", "bz2", "lzma", "xz", "lz4"]:
        joblib.dump(value, OUT / f"by-name.joblib.{ending}")
    joblib.dump(joblib.Memory(None), OUT / "memory.joblib")


def with_h5py():
    with h5py.File(OUT / "plain.h5", "w") as file:
        file["group/array"] = RNG.normal(size=(5, 5))
        file.create_dataset("chunks", data=np.arange(1000), chunks=(100,), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("lzf", data=np.arange(1000), compression="lzf")
        file.create_dataset("grow", data=np.arange(10), maxshape=(None,), chunks=(4,))
        file.create_dataset("text", data=["a", "bc"], dtype=h5py.string_dtype())
        file["record"] = KINDS["record"].astype([("a", "i4"), ("b", "f8", (1,)), ("c", "S4")])
        file["soft"] = h5py.SoftLink("/group/array")
        file["hard"] = file["chunks"]
        file.attrs["text"] = "an attribute"
        file.attrs["numbers"] = np.arange(3)
        file.attrs["reference"] = file["chunks"].ref
        file.create_dataset("ragged", data=[np.arange(2), np.arange(3)], dtype=h5py.vlen_dtype("i4"))
        file.create_dataset("kinds", data=[0, 1], dtype=h5py.enum_dtype({"no": 0, "yes": 1}, basetype="i1"))
        for number in range(50):
            file[f"many/{number}"] = number
    with h5py.File(OUT / "latest.h5", "w", libver="latest") as file:
        file.create_dataset("chunks", data=np.arange(1000), chunks=(100,), compression="gzip")
        file.create_dataset("grow", data=np.arange(100), maxshape=(None,), chunks=(4,))
        file.create_dataset("grow2", data=np.ones((10, 10)), maxshape=(None, None), chunks=(4, 4))
        file.attrs["text"] = "an attribute"
        for number in range(50):
            file[f"many/{number}"] = number
        for number in range(20):
            file["many"].attrs[f"attribute {number}"] = number
    with h5py.File(OUT / "user-block.h5", "w", userblock_size=512) as file:
        file["array"] = np.arange(3)
    layout = h5py.VirtualLayout(shape=(2, 5), dtype="i8")
    with h5py.File(OUT / "virtual.h5", "w", libver="latest") as file:
        file["source"] = np.arange(5)
        for row in range(2):
            layout[row] = h5py.VirtualSource(".", "source", shape=(5,))
        file.create_virtual_dataset("view", layout)


def with_safetensors():
    tensors = {"a": KINDS["float16"], "b": np.arange(4), "c": np.zeros((0, 3)), "d": np.array([True])}
    safetensors.numpy.save_file(tensors, OUT / "plain.safetensors")
    safetensors.numpy.save_file(tensors, OUT / "metadata.safetensors", metadata={"format": "np", "note": "toy"})
    safetensors.numpy.save_file({}, OUT / "empty.safetensors")


OUT.mkdir(parents=True)
with_numpy()
with_pandas()
with_joblib()
with_h5py()
with_safetensors()
