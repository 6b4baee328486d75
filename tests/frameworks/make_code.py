"""Objects saved with dill and cloudpickle, and models that carry functions.

    python make_code.py DIRECTORY

What is in `carried/` brings code of its own, as these two libraries do with
anything that is defined in the script itself.
"""

import functools
import sys
from pathlib import Path

import cloudpickle
import dill
import numpy as np
import pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

OUT = Path(sys.argv[1])
X = np.random.RandomState(0).normal(size=(40, 3))
LABELS = (X[:, 0] > 0).astype(int)


def double(values):
    """What a script gives to a FunctionTransformer."""
    return np.asarray(values) * 2


class Model:
    """What a script defines for itself."""

    factor = 3

    def __init__(self):
        self.weights = np.arange(3.0)

    def predict(self, values):
        return values @ self.weights * self.factor


HONEST = {
    "forest": RandomForestClassifier(3).fit(X, LABELS),
    "pipeline": make_pipeline(StandardScaler(), LogisticRegression()).fit(X, LABELS),
    "frame": pd.DataFrame({"a": [1, 2], "b": ["x", "y"]}),
    "partial": functools.partial(np.clip, a_min=0, a_max=1),
    "logs": make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
}
CARRIED = {
    "function": double,
    "lambda": lambda value: value + 1,
    "closure": functools.partial(double, X),
    "object": Model(),
    "class": Model,
    "pipeline": make_pipeline(FunctionTransformer(double), LogisticRegression()).fit(X, LABELS),
}

(OUT / "carried").mkdir(parents=True)
for library in [dill, cloudpickle]:
    for name, value in HONEST.items():
        (OUT / f"{name}-{library.__name__}.pkl").write_bytes(library.dumps(value))
    for name, value in CARRIED.items():
        more = {"recurse": True} if library is dill else {}
        (OUT / "carried" / f"{name}-{library.__name__}.pkl").write_bytes(library.dumps(value, **more))
