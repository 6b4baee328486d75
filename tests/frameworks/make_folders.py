"""Model folders and stores of MLflow and BentoML.

    python make_folders.py DIRECTORY
"""

import os
import sys
import warnings
from pathlib import Path

OUT = Path(sys.argv[1]).resolve()
OUT.mkdir(parents=True)
os.environ["BENTOML_HOME"] = str(OUT / "bentoml")
os.environ["BENTOML_DO_NOT_TRACK"] = "true"
os.environ["MLFLOW_TRACKING_URI"] = f"file://{OUT / 'runs'}"
os.environ["MLFLOW_ALLOW_FILE_STORE"] = "true"
os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"

import bentoml
import mlflow
import numpy as np
import pandas as pd
from mlflow.models import infer_signature
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

FRAME = pd.DataFrame(np.random.RandomState(0).normal(size=(40, 3)), columns=list("abc"))
LABELS = (FRAME["a"] > 0).astype(int)
MODEL = make_pipeline(StandardScaler(), LogisticRegression()).fit(FRAME, LABELS)


class Own(mlflow.pyfunc.PythonModel):
    """A model as a script defines it: MLflow saves its code with it."""

    def __init__(self, factor):
        self.factor = factor

    def predict(self, context, model_input, params=None):
        return model_input * self.factor


def with_mlflow():
    needs = {"pip_requirements": ["scikit-learn"]}
    for name in ["pickle", "cloudpickle", "skops"]:
        more = {"skops_trusted_types": []} if name == "skops" else {}
        mlflow.sklearn.save_model(MODEL, OUT / f"sklearn-{name}", serialization_format=name, input_example=FRAME[:2],
                                  signature=infer_signature(FRAME, LABELS), **needs, **more)
    mlflow.pyfunc.save_model(OUT / "own", python_model=Own(3), artifacts={"notes": str(notes())}, **needs)
    with mlflow.start_run():
        mlflow.log_param("C", 1)
        mlflow.log_metric("accuracy", 0.9)
        mlflow.sklearn.log_model(MODEL, name="model", serialization_format="cloudpickle", **needs)


def notes():
    place = OUT / "notes.txt"
    place.write_text("toy\n")
    return place


def with_bentoml():
    bentoml.sklearn.save_model("toy", MODEL, labels={"stage": "test"}, metadata={"score": 0.9}, signatures={"predict": {"batchable": True}})
    bentoml.picklable_model.save_model("plain", MODEL)
    bentoml.picklable_model.save_model("own", Own(3))
    (OUT / "exported").mkdir()
    bentoml.models.export_model("toy", str(OUT / "exported" / "toy.bentomodel"))


warnings.simplefilter("ignore")
with_mlflow()
with_bentoml()
