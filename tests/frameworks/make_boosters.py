"""Models of the gradient boosters, statsmodels and imbalanced-learn, in each of
their own formats and as pickles.

    python make_boosters.py DIRECTORY
"""

import pickle
import sys
import warnings
from pathlib import Path

import catboost
import imblearn.ensemble
import imblearn.pipeline
import imblearn.utils.testing
import joblib
import lightgbm
import numpy as np
import pandas as pd
import statsmodels.api
import statsmodels.formula.api
import statsmodels.tsa.api
import xgboost
from sklearn.linear_model import LogisticRegression

OUT = Path(sys.argv[1])
RNG = np.random.RandomState(0)
X = RNG.normal(size=(80, 4))
LABELS = (X[:, 0] > 0).astype(int)
GROUPS = [20] * 4


def save(name, model):
    (OUT / f"{name}.pkl").write_bytes(pickle.dumps(model))
    joblib.dump(model, OUT / f"{name}.joblib")


def with_xgboost():
    booster = xgboost.train({"objective": "binary:logistic"}, xgboost.DMatrix(X, LABELS), 3)
    for ending in ["json", "ubj", "model", "bin"]:
        booster.save_model(OUT / f"xgboost.{ending}")
    (OUT / "xgboost-raw.ubj").write_bytes(booster.save_raw("ubj"))
    booster.dump_model(OUT / "xgboost-dump.txt")
    booster.dump_model(OUT / "xgboost-dump.json", dump_format="json")
    save("xgboost-booster", booster)
    for kind in ["gbtree", "gblinear", "dart"]:
        save(f"xgboost-{kind}", xgboost.XGBClassifier(booster=kind, n_estimators=3).fit(X, LABELS))
    save("xgboost-regressor", xgboost.XGBRegressor(n_estimators=3, eval_metric=["rmse", "mae"]).fit(X, X[:, 0]))
    save("xgboost-forest", xgboost.XGBRFClassifier(n_estimators=3).fit(X, LABELS))
    save("xgboost-ranker", xgboost.XGBRanker(n_estimators=3).fit(X, LABELS, group=GROUPS))
    stop = xgboost.callback.EarlyStopping(rounds=2)
    save("xgboost-callback", xgboost.XGBClassifier(n_estimators=3, callbacks=[stop]).fit(X, LABELS, eval_set=[(X, LABELS)], verbose=False))


def with_lightgbm():
    quiet = {"verbose": -1}
    booster = lightgbm.train({"objective": "binary", **quiet}, lightgbm.Dataset(X, LABELS), 3)
    booster.save_model(OUT / "lightgbm.txt")
    save("lightgbm-booster", booster)
    for kind in ["gbdt", "dart", "rf"]:
        more = {"bagging_freq": 1, "bagging_fraction": 0.5} if kind == "rf" else {}
        save(f"lightgbm-{kind}", lightgbm.LGBMClassifier(boosting_type=kind, n_estimators=3, **more, **quiet).fit(X, LABELS))
    save("lightgbm-regressor", lightgbm.LGBMRegressor(n_estimators=3, **quiet).fit(pd.DataFrame(X, columns=list("abcd")), X[:, 0]))
    save("lightgbm-ranker", lightgbm.LGBMRanker(n_estimators=3, **quiet).fit(X, LABELS, group=GROUPS))
    save("lightgbm-stopped", lightgbm.LGBMClassifier(n_estimators=3, **quiet).fit(
        X, LABELS, eval_set=[(X, LABELS)], callbacks=[lightgbm.early_stopping(2, verbose=False)]))


def with_catboost():
    files = {"iterations": 3, "verbose": False, "allow_writing_files": False}
    model = catboost.CatBoostClassifier(**files).fit(X, LABELS)
    formats = {"py": "python", "mlmodel": "coreml"}
    for ending in ["cbm", "json", "onnx", "cpp", "py", "mlmodel"]:
        model.save_model(str(OUT / f"catboost.{ending}"), format=formats.get(ending, ending))
    save("catboost", model)
    save("catboost-regressor", catboost.CatBoostRegressor(**files).fit(X, X[:, 0]))
    frame = pd.DataFrame({"n": X[:, 0], "kind": ["a", "b"] * 40, "words": ["some words", "other"] * 40})
    mixed = catboost.CatBoostClassifier(cat_features=["kind"], text_features=["words"], **files).fit(frame, LABELS)
    mixed.save_model(str(OUT / "catboost-mixed.cbm"))
    save("catboost-mixed", mixed)


def with_statsmodels():
    frame = pd.DataFrame(X, columns=list("abcd")).assign(y=LABELS, group=np.repeat(range(4), 20))
    constant = statsmodels.api.add_constant(X[:, 1:])
    series = pd.Series(np.cumsum(X[:, 0]) + 50, index=pd.date_range("2020-01-01", periods=80, freq="MS"))
    results = {
        "ols": statsmodels.api.OLS(X[:, 0], constant).fit(),
        "wls": statsmodels.api.WLS(X[:, 0], constant, weights=np.ones(80)).fit(),
        "rlm": statsmodels.api.RLM(X[:, 0], constant).fit(),
        "quantile": statsmodels.api.QuantReg(X[:, 0], constant).fit(),
        "glm": statsmodels.api.GLM(LABELS, constant, family=statsmodels.api.families.Binomial()).fit(),
        "logit": statsmodels.api.Logit(LABELS, constant).fit(disp=0),
        "probit": statsmodels.api.Probit(LABELS, constant).fit(disp=0),
        "poisson": statsmodels.api.Poisson(LABELS, constant).fit(disp=0),
        "formula": statsmodels.formula.api.ols("a ~ b + C(group) + np.log(c ** 2 + 1)", frame).fit(),
        "formula-logit": statsmodels.formula.api.logit("y ~ b + c", frame).fit(disp=0),
        "mixed": statsmodels.formula.api.mixedlm("a ~ b", frame, groups=frame["group"]).fit(),
        "gee": statsmodels.formula.api.gee("y ~ b", "group", frame, family=statsmodels.api.families.Binomial()).fit(),
        "arima": statsmodels.tsa.api.ARIMA(series, order=(1, 1, 1)).fit(),
        "sarimax": statsmodels.tsa.api.SARIMAX(series, order=(1, 0, 0), seasonal_order=(1, 0, 0, 12)).fit(disp=0),
        "smoothing": statsmodels.tsa.api.ExponentialSmoothing(series, trend="add", seasonal="add", seasonal_periods=12).fit(),
        "holt": statsmodels.tsa.api.Holt(series, initialization_method="estimated").fit(),
        "autoreg": statsmodels.tsa.api.AutoReg(series, lags=2).fit(),
        "unobserved": statsmodels.tsa.api.UnobservedComponents(series, "local level").fit(disp=0),
        "var": statsmodels.tsa.api.VAR(frame[["a", "b"]]).fit(1),
        "stl": statsmodels.tsa.api.STL(series).fit(),
        "density": statsmodels.api.nonparametric.KDEUnivariate(X[:, 0]),
    }
    for name, result in results.items():
        (OUT / f"statsmodels-{name}.pkl").write_bytes(pickle.dumps(result))
    results["ols"].save(str(OUT / "statsmodels-saved.pickle"), remove_data=True)


def with_imblearn():
    # More of one label than of the other, no values below zero, and labels that a tree can tell apart.
    data = np.abs(np.r_[X, X[LABELS == 1] + 0.1])
    labels = (data[:, 0] > 0.5).astype(int)
    for name, kind in imblearn.utils.testing.all_estimators():
        steps = [("sample", imblearn.over_sampling.SMOTE()), ("model", LogisticRegression())]
        needed = {"SMOTENC": {"categorical_features": [0]}, "Pipeline": {"steps": steps}}
        instance = kind(**needed.get(name, {}))
        around = data.round() if name in ("SMOTEN", "SMOTENC") else data
        save(f"imblearn-{name}", instance.fit(around, labels))


OUT.mkdir(parents=True)
warnings.simplefilter("ignore")
with_xgboost()
with_lightgbm()
with_catboost()
with_statsmodels()
with_imblearn()
