"""Pickled models of the libraries that stand around scikit-learn.

    python make_others.py DIRECTORY
"""

import pickle
import sys
import warnings
from pathlib import Path

import category_encoders
import hdbscan
import hmmlearn.hmm
import imodels
import interpret.glassbox
import joblib
import lifelines
import mlxtend.classifier
import mlxtend.feature_selection
import ngboost
import numpy as np
import optuna
import pandas as pd
import pmdarima
import prophet.serialize
import pyod.models.copod
import pyod.models.ecod
import pyod.models.iforest
import pyod.models.knn
import river.compose
import river.ensemble
import river.linear_model
import river.preprocessing
import river.tree
import sktime.classification.dummy
import sktime.forecasting.naive
import sktime.forecasting.trend
import skopt
import umap
from sklearn.linear_model import LogisticRegression

OUT = Path(sys.argv[1])
RNG = np.random.RandomState(0)
X = RNG.normal(size=(60, 4))
LABELS = (X[:, 0] > 0).astype(int)
FRAME = pd.DataFrame(X, columns=list("abcd")).assign(kind=["x", "y", "z"] * 20)
SERIES = pd.Series(np.cumsum(X[:, 0]) + 50, index=pd.period_range("2020-01", periods=60, freq="M"))


def save(name, model):
    (OUT / f"{name}.pkl").write_bytes(pickle.dumps(model))
    joblib.dump(model, OUT / f"{name}.joblib")


def clusters():
    save("umap", umap.UMAP(n_neighbors=5, n_epochs=5).fit(X))
    save("hdbscan", hdbscan.HDBSCAN(min_cluster_size=3, prediction_data=True).fit(X))
    for name in ["GaussianHMM", "GMMHMM", "PoissonHMM", "CategoricalHMM", "MultinomialHMM"]:
        kind = getattr(hmmlearn.hmm, name)
        counts = np.abs(X).round().astype(int)
        data = {"PoissonHMM": counts, "CategoricalHMM": LABELS[:, None], "MultinomialHMM": np.c_[LABELS, 1 - LABELS]}.get(name, X)
        save(f"hmmlearn-{name}", kind(2, n_iter=2).fit(data))
    for module in ["copod.COPOD", "ecod.ECOD", "iforest.IForest", "knn.KNN"]:
        module, name = module.split(".")
        save(f"pyod-{name}", getattr(getattr(pyod.models, module), name)().fit(X))


def estimators():
    for name in ["TargetEncoder", "OrdinalEncoder", "BinaryEncoder", "WOEEncoder", "HashingEncoder", "CatBoostEncoder", "CountEncoder"]:
        save(f"encoders-{name}", getattr(category_encoders, name)(cols=["kind"]).fit(FRAME, LABELS))
    save("mlxtend-stack", mlxtend.classifier.StackingCVClassifier([LogisticRegression()], LogisticRegression()).fit(X, LABELS))
    save("mlxtend-select", mlxtend.feature_selection.SequentialFeatureSelector(LogisticRegression(), k_features=2, cv=2).fit(X, LABELS))
    save("imodels", imodels.RuleFitClassifier(max_rules=3).fit(X, LABELS))
    save("imodels-tree", imodels.FIGSClassifier(max_rules=3).fit(X, LABELS))
    save("interpret", interpret.glassbox.ExplainableBoostingClassifier(max_rounds=3, n_jobs=1, interactions=0).fit(X, LABELS))
    save("ngboost", ngboost.NGBRegressor(n_estimators=3, verbose=False).fit(X, X[:, 0]))
    save("ngboost-classes", ngboost.NGBClassifier(n_estimators=3, verbose=False).fit(X, LABELS))
    search = skopt.BayesSearchCV(LogisticRegression(), {"C": skopt.space.Real(0.1, 10, "log-uniform")}, n_iter=3, cv=2, random_state=0)
    save("skopt", search.fit(X, LABELS))


def survival():
    times = pd.DataFrame({"T": np.abs(X[:, 0]) + 0.1, "E": LABELS, "a": X[:, 1]})
    save("lifelines-cox", lifelines.CoxPHFitter().fit(times, "T", "E"))
    save("lifelines-aft", lifelines.WeibullAFTFitter().fit(times, "T", "E"))
    for name in ["KaplanMeierFitter", "NelsonAalenFitter", "WeibullFitter", "ExponentialFitter"]:
        save(f"lifelines-{name}", getattr(lifelines, name)().fit(times["T"], times["E"]))


def series():
    save("pmdarima", pmdarima.auto_arima(SERIES.to_numpy(), start_p=0, start_q=0, max_p=1, max_q=1, suppress_warnings=True))
    save("sktime-naive", sktime.forecasting.naive.NaiveForecaster().fit(SERIES, fh=[1, 2]))
    save("sktime-trend", sktime.forecasting.trend.PolynomialTrendForecaster().fit(SERIES, fh=[1, 2]))
    days = pd.DataFrame({"ds": pd.date_range("2020-01-01", periods=60), "y": X[:, 0]})
    model = prophet.Prophet().fit(days)
    save("prophet", model)
    (OUT / "prophet.json").write_text(prophet.serialize.model_to_json(model))


def streams():
    models = {
        "logistic": river.preprocessing.StandardScaler() | river.linear_model.LogisticRegression(),
        "tree": river.tree.HoeffdingTreeClassifier(), "forest": river.ensemble.AdaBoostClassifier(river.tree.HoeffdingTreeClassifier(), 2),
        "columns": river.compose.Select("a") | river.linear_model.LogisticRegression(),
    }
    for name, model in models.items():
        for row, label in zip(X, LABELS):
            model.learn_one(dict(zip("abcd", row)), bool(label))
        save(f"river-{name}", model)


def studies():
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(pruner=optuna.pruners.MedianPruner())
    study.optimize(quadratic, n_trials=3)
    save("optuna", study)
    save("optuna-sampler", study.sampler)


def quadratic(trial):
    return trial.suggest_float("x", -1, 1) ** 2


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
for make in [clusters, estimators, survival, series, streams, studies]:
    make()
