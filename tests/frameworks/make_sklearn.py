"""Every estimator of scikit-learn that there is, fitted on toy data and saved
as a pickle, with joblib and with skops.

    python make_sklearn.py DIRECTORY

An estimator that fits on none of the toy data is an error.
"""

import pickle
import sys
import warnings
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import scipy.stats
import skops.io
from sklearn import (
    calibration, compose, decomposition, ensemble, feature_extraction, feature_selection, gaussian_process,
    linear_model, metrics, model_selection, pipeline, preprocessing, svm, tree,
)
from sklearn.frozen import FrozenEstimator
from sklearn.utils import all_estimators
from sklearn.utils._test_common.instance_generator import _construct_instances
from skops.io.exceptions import UnsupportedTypeException

OUT = Path(sys.argv[1])
RNG = np.random.RandomState(0)
X = np.abs(RNG.normal(size=(60, 4))) + 0.1
LABELS = (X[:, 0] > X[:, 1]).astype(int)
TEXTS = ["a model", "of words", "that are", "safe to load", "words a model"] * 12
# What an estimator may want to be fitted on, the usual first.
DATA = [
    (X, LABELS),
    (X, X[:, 0]),
    (X, np.c_[LABELS, 1 - LABELS]),
    (X, X[:, :2]),
    (X, None),
    (X[:, 0], LABELS),
    (TEXTS, LABELS),
    ([{"word": 1.0, "other": 2.0}] * 60, None),
    ([["ab", "cd"]] * 60, None),
    (X @ X.T, LABELS),
    (X[:, :3], LABELS),
    (LABELS, None),
    ([("a", "b"), ("b",)] * 30, None),
]


def fitted(instance):
    """The instance, fitted on the first of the toy data that it takes."""
    reasons = []
    for data, target in DATA:
        try:
            return instance.fit(data) if target is None else instance.fit(data, target)
        except Exception as error:  # whatever an estimator raises about data it does not take
            reasons.append(f"{type(error).__name__}: {error}")
    raise RuntimeError(f"{instance} fits on none of the toy data: {reasons}")


def save(name, model):
    (OUT / f"{name}.pkl").write_bytes(pickle.dumps(model))
    joblib.dump(model, OUT / f"{name}.joblib")
    try:
        skops.io.dump(model, OUT / f"{name}.skops")
    except UnsupportedTypeException:  # of a few estimators, skops says so; the number of files is checked
        pass


def all_of_them():
    for name, kind in all_estimators():
        # This one takes what is fitted already, which scikit-learn's own maker of toy instances does not have.
        frozen = kind is FrozenEstimator
        instances = [kind(fitted(linear_model.Ridge()))] if frozen else _construct_instances(kind)
        for at, instance in enumerate(instances):
            save(f"{name}-{at}", fitted(instance))


def composed():
    """What people build of them."""
    frame = pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "c": pd.Categorical(["x", "y", "z"] * 20), "d": TEXTS})
    columns = compose.ColumnTransformer([
        ("numbers", preprocessing.StandardScaler(), compose.make_column_selector(dtype_include=np.number)),
        ("kinds", preprocessing.OneHotEncoder(handle_unknown="ignore"), ["c"]),
        ("text", feature_extraction.text.TfidfVectorizer(stop_words="english"), "d"),
        ("log", preprocessing.FunctionTransformer(np.log1p, validate=True), ["a"]),
        ("rest", "passthrough", ["b"]),
    ])
    save("pipeline", pipeline.make_pipeline(columns, linear_model.LogisticRegression()).fit(frame, LABELS))
    search = model_selection.RandomizedSearchCV(
        svm.SVC(), {"C": scipy.stats.loguniform(0.1, 10), "kernel": ["rbf", "linear"], "gamma": scipy.stats.expon()},
        n_iter=3, cv=model_selection.StratifiedKFold(3, shuffle=True, random_state=0),
        scoring=metrics.make_scorer(metrics.f1_score, average="macro"), random_state=np.random.RandomState(1),
    )
    save("search", search.fit(X, LABELS))
    grid = model_selection.GridSearchCV(
        pipeline.Pipeline([("scale", preprocessing.MinMaxScaler()), ("pick", "passthrough"), ("tree", tree.DecisionTreeClassifier())]),
        {"pick": [decomposition.PCA(2), feature_selection.SelectKBest(feature_selection.f_classif, k=2)]}, cv=3,
    )
    save("grid", grid.fit(X, LABELS))
    vote = ensemble.VotingClassifier([
        ("forest", ensemble.RandomForestClassifier(3)),
        ("boost", ensemble.HistGradientBoostingClassifier(max_iter=3)),
        ("calibrated", calibration.CalibratedClassifierCV(svm.LinearSVC(), method="isotonic")),
    ])
    save("vote", vote.fit(X, LABELS))
    kernel = gaussian_process.kernels.ConstantKernel() * gaussian_process.kernels.Matern() + gaussian_process.kernels.WhiteKernel()
    save("gaussian", gaussian_process.GaussianProcessRegressor(kernel).fit(X, X[:, 0]))
    for loss in ["hinge", "log_loss", "modified_huber", "squared_hinge", "perceptron", "squared_error", "huber",
                 "epsilon_insensitive", "squared_epsilon_insensitive"]:
        save(f"sgd-{loss}", linear_model.SGDClassifier(loss=loss).fit(X, LABELS))
    for loss in ["squared_error", "absolute_error", "gamma", "poisson", "quantile"]:
        quantile = 0.5 if loss == "quantile" else None
        save(f"hist-{loss}", ensemble.HistGradientBoostingRegressor(loss=loss, quantile=quantile, max_iter=3).fit(X, X[:, 0]))
    for loss in ["squared_error", "absolute_error", "huber", "quantile"]:
        save(f"gradient-{loss}", ensemble.GradientBoostingRegressor(loss=loss, n_estimators=3).fit(X, X[:, 0]))
    for criterion in ["squared_error", "friedman_mse", "absolute_error", "poisson"]:
        save(f"tree-{criterion}", tree.DecisionTreeRegressor(criterion=criterion).fit(X, X[:, 0]))
    for family in ["TweedieRegressor", "PoissonRegressor", "GammaRegressor"]:
        save(f"family-{family}", getattr(linear_model, family)().fit(X, X[:, 0]))
    for protocol in range(6):
        (OUT / f"forest-protocol{protocol}.pkl").write_bytes(
            pickle.dumps(ensemble.RandomForestClassifier(3).fit(X, LABELS), protocol=protocol))


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
all_of_them()
composed()
