"""What numpy, pandas, scikit-learn, torch and others put into a pickle."""

import struct

from .opcodes import NewObj, Persistent, Reduce, named

RECONSTRUCT = named("numpy._core.multiarray._reconstruct")
RECONSTRUCT_1 = named("numpy.core.multiarray._reconstruct")  # as numpy 1 wrote it
NDARRAY = named("numpy.ndarray")


def dtype(kind):
    """numpy.dtype('f4') and the like; 'O8' for objects."""
    objects = kind.startswith("O")
    order = "|" if objects or kind.endswith("1") else "<"
    state = (3, order, None, None, None, -1, -1, 63 if objects else 0)
    return Reduce(named("numpy.dtype"), (kind, False, True), state)


def array(values, kind="f8", shape=None, numpy1=False, shared_dtype=None, fortran=False):
    """An ndarray as protocols 0 to 4 carry it."""
    shape = shape or (len(values),)
    data = list(values) if kind.startswith("O") else packed(values, kind)
    return Reduce(RECONSTRUCT_1 if numpy1 else RECONSTRUCT, (NDARRAY, (0,), b"b"),
                  (1, shape, shared_dtype or dtype(kind), fortran, data))


def array5(values, kind="f8", shape=None):
    """An ndarray as protocol 5 carries it, in band."""
    return Reduce(named("numpy._core.numeric._frombuffer"),
                  (bytearray(packed(values, kind)), dtype(kind), shape or (len(values),), "C"))


def scalar(value, kind="f8"):
    """A numpy scalar."""
    return Reduce(named("numpy._core.multiarray.scalar"), (dtype(kind), packed([value], kind)))


def packed(values, kind):
    """The bytes of an array."""
    letter = {"f8": "d", "f4": "f", "f2": "e", "i8": "q", "i4": "i", "u4": "I", "i2": "h", "u1": "B", "b1": "?"}[kind]
    return struct.pack(f"<{len(values)}{letter}", *values)


def ordered_dict(pairs, state=None):
    """collections.OrderedDict."""
    return Reduce(named("collections.OrderedDict"), (), state, pairs=tuple(pairs))


def estimator(path, state):
    """A scikit-learn estimator: a plain object that also notes its version."""
    return NewObj(named(path), (), dict(state, _sklearn_version="1.5.2"))


def torch_storage(kind, key, count, location="cpu"):
    """A storage by persistent id, as the zip and legacy files name it."""
    return Persistent(("storage", named(f"torch.{kind}Storage"), key, location, count))


def tensor(kind, key, shape, count=None, offset=0, location="cpu"):
    """torch.Tensor over a storage."""
    strides, step = [], 1
    for size in reversed(shape):
        strides.insert(0, step)
        step *= size
    return Reduce(named("torch._utils._rebuild_tensor_v2"),
                  (torch_storage(kind, key, step if count is None else count, location), offset, tuple(shape),
                   tuple(strides), False, ordered_dict([])))


def parameter(tensor_):
    """torch.nn.Parameter."""
    return Reduce(named("torch._utils._rebuild_parameter"), (tensor_, True, ordered_dict([])))


def module(path, parameters=(), modules=(), **fields):
    """A torch.nn module as a whole-object save has it."""
    state = {"training": False, "_parameters": ordered_dict(parameters), "_buffers": ordered_dict([]),
             "_non_persistent_buffers_set": set(), "_backward_hooks": ordered_dict([]),
             "_is_full_backward_hook": None, "_forward_hooks": ordered_dict([]),
             "_forward_pre_hooks": ordered_dict([]), "_state_dict_hooks": ordered_dict([]),
             "_load_state_dict_pre_hooks": ordered_dict([]), "_modules": ordered_dict(modules)}
    state.update(fields)
    return NewObj(named(path), (), state)


def dataframe():
    """A small pandas.DataFrame (two integer columns in one block)."""
    block = Reduce(named("pandas._libs.internals._unpickle_block"),
                   (array([1, 2, 3, 4], "i8", (2, 2)), Reduce(named("builtins.slice"), (0, 2, 1)), 2))
    columns = Reduce(named("pandas.core.indexes.base._new_Index"),
                     (named("pandas.core.indexes.base.Index"), {"data": array(["a", "b"], "O8"), "name": None}))
    index = Reduce(named("pandas.core.indexes.base._new_Index"),
                   (named("pandas.core.indexes.range.RangeIndex"), {"name": None, "start": 0, "stop": 2, "step": 1}))
    manager = Reduce(named("pandas.core.internals.managers.BlockManager"), ((block,), [columns, index]))
    return NewObj(named("pandas.core.frame.DataFrame"), (),
                  {"_mgr": manager, "_typ": "dataframe", "_metadata": [], "attrs": {},
                   "_flags": {"allows_duplicate_labels": True}})
