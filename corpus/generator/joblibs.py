"""joblib files: a pickle with raw arrays between its opcodes, packed or not."""

import bz2
import lzma
import struct

from .arrays import npy
from .deflate import gzip_member, xz_stream, zlib_stream
from .objects import NDARRAY, array, dtype, estimator, packed
from .opcodes import NewObj, Raw, asm, call, dumps, named
from .registry import CLEAN, COMMAND, INCOMPLETE, MALICIOUS, SUSPICIOUS
from .torch import EVIL, WHAT

WRAPPER = named("joblib.numpy_pickle.NumpyArrayWrapper")


def wrapped(values, kind="f8", shape=None, order="C", aligned=True, shape_lie=None):
    """An array as joblib writes it: the wrapper in the stream, then padding and raw data."""
    shape = shape or (len(values),)
    data = packed(values, kind)
    state = {"subclass": NDARRAY, "shape": shape_lie or shape, "order": order, "dtype": dtype(kind), "allow_mmap": True}
    if aligned:
        state["numpy_array_alignment_bytes"] = 16

    def tail(position):
        if not aligned:  # before joblib 1.2
            return data
        padding = 16 - (position + 1) % 16
        return bytes([padding]) + b"\xff" * padding + data

    return Raw(NewObj(WRAPPER, (), state), tail)


def wrapped_objects(pickle, count):
    """An object array: a nested pickle of its own stands in the stream."""
    state = {"subclass": NDARRAY, "shape": (count,), "order": "C", "dtype": dtype("O8"), "allow_mmap": False,
             "numpy_array_alignment_bytes": 16}
    return Raw(NewObj(WRAPPER, (), state), pickle)


def lzma_alone(data):
    """The old .lzma format."""
    return lzma.compress(data, format=lzma.FORMAT_ALONE, preset=3)


def add_samples(corpus):
    def add(name, verdict, data, what, why):
        corpus.add(f"joblib/{name}", verdict, data, what, why)

    def model(extra=()):
        return estimator("sklearn.linear_model._logistic.LogisticRegression", dict([
            ("C", 1.0), ("classes_", wrapped([0, 1], "i8")), ("coef_", wrapped([0.5, -0.25, 0.125], "f8", (1, 3))),
            ("intercept_", wrapped([0.1])), ("n_iter_", wrapped([7], "i4")), *extra]))

    for protocol in (3, 4, 5):
        add(f"model-p{protocol}.joblib", CLEAN, dumps(model(), protocol), f"a fitted estimator with four arrays, protocol {protocol}",
            "raw array bytes stand between the opcodes: a reader that decodes on loses its place")
    add("model-before-1.2.joblib", CLEAN, dumps({"w": wrapped([1.0, 2.0], aligned=False), "name": "linear"}, 3), "arrays without alignment padding", "joblib before 1.2")
    add("array-looks-like-opcodes.joblib", CLEAN, dumps({"w": wrapped(list(b"(lp0\nI1\naN.0]q\x00(K\x01K\x02e}u.cb"), "u1"), "after": 1}, 4),
        "an array whose bytes happen to be pickle opcodes", "data of a declared size is data")
    add("fortran.joblib", CLEAN, dumps(wrapped([1.0, 2.0, 3.0, 4.0], "f4", (2, 2), "F"), 4), "a Fortran-order array at the top", "the stream is a wrapper and its data")
    add("objects.joblib", CLEAN, dumps({"labels": wrapped_objects(dumps(array(["a", None], "O8"), 5), 2), "n": 2}, 4), "an object array: a pickle inside the pickle", "the outer stream goes on behind it")
    add("empty-array.joblib", CLEAN, dumps([wrapped([], "f8", (0, 3)), "end"], 4), "an array without elements", "padding and no data")
    packed_model = dumps(model(), 4)
    for name, pack in (("zlib", zlib_stream), ("gzip", gzip_member), ("bz2", bz2.compress), ("xz", xz_stream), ("lzma", lzma_alone)):
        add(f"model-{name}.joblib", CLEAN, pack(packed_model), f"a fitted estimator packed with {name}", "compress=... of joblib.dump")
        add(f"evil-{name}.joblib", MALICIOUS, pack(dumps(model([("x", call("os.system", COMMAND))]), 4)), f"an estimator with {WHAT}, packed with {name}", "compression must not hide the stream")
    add("evil-after-arrays.joblib", MALICIOUS, dumps(model([("x", call("os.system", COMMAND))]), 4), f"{WHAT} behind four arrays", "the reader must find its place after each array")
    add("evil-before-arrays.joblib", MALICIOUS, dumps([call("os.system", COMMAND), model()], 3), f"{WHAT} before the arrays", "the plain case")
    add("evil-object-array.joblib", MALICIOUS, dumps({"labels": wrapped_objects(EVIL, 1), "n": 1}, 4), f"an object array whose pickle is {WHAT}", "the nested stream is read as a stream of its own")
    add("evil-in-object-array.joblib", MALICIOUS, dumps({"labels": wrapped_objects(dumps(array(["a", call("os.system", COMMAND)], "O8"), 5), 2)}, 4), f"an object array with {WHAT} among its elements", "the same, deeper")
    add("evil-after-object-array.joblib", MALICIOUS, dumps([wrapped_objects(dumps(array(["a"], "O8"), 5), 1), call("os.system", COMMAND)], 4), f"{WHAT} behind an object array", "the outer stream keeps its own stack and memo")
    add("shape-lie.joblib", MALICIOUS, dumps([wrapped([1.0], shape_lie=(1 << 40,)), call("os.system", COMMAND)], 4), f"an array that claims 2**40 elements, then {WHAT}", "a size that no file holds must not skip what follows")
    covered = asm("POP", "GLOBAL os system", f"BINUNICODE {COMMAND}", "TUPLE1", "REDUCE", "STOP")
    add("payload-inside-array.joblib", SUSPICIOUS, dumps([wrapped(list(EVIL + covered), "u1"), 1], 4), f"an array whose bytes are a whole pickle of {WHAT}", "a reader that skips less than the loader runs it: worth a look")
    add("wrapper-filename.joblib", MALICIOUS, dumps(NewObj(named("joblib.numpy_pickle_compat.NDArrayWrapper"), (), {"filename": "../../weighin.npy", "subclass": NDARRAY, "allow_mmap": True}), 3),
        "NDArrayWrapper with a file name outside the folder", "the loader reads that file, pickles allowed")
    add("old-multi-file/model.pkl", CLEAN, dumps(NewObj(named("joblib.numpy_pickle_compat.NDArrayWrapper"), (), {"filename": "model.pkl_01.npy", "subclass": NDARRAY, "allow_mmap": True}), 2),
        "NDArrayWrapper with a file name beside it", "joblib before 0.10 wrote one file for each array")
    add("old-multi-file/model.pkl_01.npy", CLEAN, npy("'<f8'", "(2,)", packed([0.5, 0.25], "f8")), "the array beside it", "the file that the wrapper names")
    add("pre-dispatch.joblib", SUSPICIOUS, dumps(NewObj(named("joblib.parallel.Parallel"), (), {"n_jobs": 1, "pre_dispatch": "__import__('os').getpid()"}), 4),
        "a Parallel whose pre_dispatch is an expression", "CVE-2022-21797: it was evaluated")
    plain = dumps({"weights": [0.5, 0.25], "name": "linear"}, 2)
    add("zfile.joblib", CLEAN, b"ZF" + b"0x%-17x" % len(plain) + zlib_stream(plain), "the ZF format of joblib before 0.10", "two letters, a length in hexadecimal, zlib")
    add("zfile-evil.joblib", MALICIOUS, b"ZF" + b"0x%-17x" % len(EVIL) + zlib_stream(EVIL), f"the ZF format with {WHAT}", "the same, with a payload")
    add("truncated.joblib", INCOMPLETE, packed_model[:-150], "a fitted estimator, cut inside its arrays", "a partial download")
    add("truncated-zlib.joblib", INCOMPLETE, zlib_stream(packed_model)[:200], "a packed estimator, cut", "a partial download")
    add("truncated-evil.joblib", MALICIOUS, gzip_member(dumps([call("os.system", COMMAND), model()], 4))[:150], f"a packed estimator with {WHAT}, cut behind it", "what can be unpacked is read")
    add("garbage-after-pickle.joblib", CLEAN, packed_model + struct.pack("<I", 0xDEADBEEF) * 8, "32 bytes behind the stream", "nothing belongs there")
