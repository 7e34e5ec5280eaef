"""Transformers of scikit-learn, three or more of a kind with other options."""

import numpy as np
from scipy import special
from sklearn import (
    decomposition,
    feature_selection,
    impute,
    neighbors,
    preprocessing,
    random_projection,
)
from sklearn.experimental import enable_iterative_imputer  # noqa: F401 - it enables by import

from tests.load.sklearn_tables import (
    CODES,
    GAPS,
    ONE_NUMBER,
    SEED,
    THREE,
    TWO,
    classes,
    features,
    logistic,
    over,
    stump,
)

FITS = {
    "StandardScaler": features(
        preprocessing.StandardScaler, {}, {"with_mean": False}, {"with_std": False}
    ),
    "RobustScaler": features(
        preprocessing.RobustScaler, {}, {"with_centering": False}, {"unit_variance": True}
    ),
    "MinMaxScaler": features(
        preprocessing.MinMaxScaler, {}, {"clip": True}, {"feature_range": (-3, 2)}
    ),
    "MaxAbsScaler": features(preprocessing.MaxAbsScaler, {}, {"clip": True}, {}),
    "Normalizer": features(preprocessing.Normalizer, *({"norm": n} for n in ("l1", "l2", "max"))),
    "Binarizer": features(preprocessing.Binarizer, {}, {"threshold": 0.5}, {"threshold": -1.0}),
    "PowerTransformer": over(
        preprocessing.PowerTransformer,
        (ONE_NUMBER, (np.abs(TWO[0]) + 0.1, None), ONE_NUMBER),
        *({}, {"method": "box-cox"}, {"standardize": False}),
    ),
    "QuantileTransformer": over(
        preprocessing.QuantileTransformer,
        (ONE_NUMBER, (np.round(ONE_NUMBER[0]), None)),
        *({"n_quantiles": 20}, {"n_quantiles": 30}, {"n_quantiles": 5}, {"n_quantiles": 50}),
    ),
    "PolynomialFeatures": features(
        preprocessing.PolynomialFeatures,
        *({}, {"degree": 3, "include_bias": False}, {"interaction_only": True}),
        {"degree": (2, 4)},
    ),
    "SplineTransformer": features(
        preprocessing.SplineTransformer,
        *({}, {"extrapolation": "linear"}, {"extrapolation": "continue", "degree": 2}),
        *({"extrapolation": "periodic"}, {"include_bias": False, "knots": "quantile"}),
        *({"degree": 0, "extrapolation": "continue"}, {"degree": 1}),
    ),
    "KBinsDiscretizer": features(
        preprocessing.KBinsDiscretizer,
        *({"quantile_method": "linear"}, {"encode": "ordinal", "strategy": "uniform"}),
        {"encode": "onehot-dense", "n_bins": [2, 3, 4], "strategy": "kmeans", **SEED},
    ),
    "SimpleImputer": [
        *features(
            impute.SimpleImputer,
            *({}, {"strategy": "median"}, {"strategy": "constant", "fill_value": 1.0}),
        ),
        (impute.SimpleImputer(add_indicator=True), GAPS),
        (impute.SimpleImputer(missing_values=0), (np.round(ONE_NUMBER[0]), None)),
    ],
    "OneHotEncoder": over(
        preprocessing.OneHotEncoder,
        (CODES,),
        *({}, {"handle_unknown": "ignore", "sparse_output": False}, {"drop": "first"}),
        {"drop": "if_binary", "categories": [[0, 1, 2, 5], [0, 1], [1, 2, 3]]},
    ),
    "OrdinalEncoder": over(
        preprocessing.OrdinalEncoder,
        (CODES,),
        *({}, {"handle_unknown": "use_encoded_value", "unknown_value": -1}, {}),
    ),
    "IterativeImputer": over(
        impute.IterativeImputer, (GAPS,), {}, {"max_iter": 2}, {"add_indicator": True}
    ),
    "KNNImputer": over(
        impute.KNNImputer, (GAPS,), {}, {"add_indicator": True}, {"weights": "distance"}
    ),
    "FunctionTransformer": features(
        preprocessing.FunctionTransformer,
        *({}, {"func": np.tanh}, {"func": np.exp2}, {"func": np.square}, {"func": np.sign}),
        *({"func": f} for f in (np.arcsinh, np.expm1, np.floor, np.fabs, np.cbrt)),
        *({"func": f} for f in (special.expit, special.erf)),
        {"func": np.clip, "kw_args": {"a_min": -1, "a_max": 0.5}},
    ),
    "PCA": features(
        decomposition.PCA, {}, {"n_components": 2, "whiten": True}, {"n_components": 0.9}
    ),
    "IncrementalPCA": features(
        decomposition.IncrementalPCA, {}, {"n_components": 2, "whiten": True}, {"n_components": 1}
    ),
    "TruncatedSVD": features(
        decomposition.TruncatedSVD, SEED, {"n_components": 1, **SEED}, {"algorithm": "arpack"}
    ),
    "FastICA": features(decomposition.FastICA, SEED, {"n_components": 2, **SEED}, SEED),
    "FactorAnalysis": features(
        decomposition.FactorAnalysis, {"n_components": 2}, {"n_components": 1}, {}
    ),
    "GaussianRandomProjection": features(
        random_projection.GaussianRandomProjection,
        *({"n_components": n, **SEED} for n in (1, 2, 3)),
    ),
    "NeighborhoodComponentsAnalysis": over(
        neighbors.NeighborhoodComponentsAnalysis,
        (TWO, THREE),
        *(SEED, {"n_components": 2, **SEED}, SEED),
    ),
    "VarianceThreshold": features(
        feature_selection.VarianceThreshold, {}, {"threshold": 3.9}, {"threshold": 0.1}
    ),
    "SelectKBest": classes(feature_selection.SelectKBest, *({"k": k} for k in (1, 2, "all"))),
    "SelectPercentile": classes(
        feature_selection.SelectPercentile, *({"percentile": p} for p in (40, 70, 100))
    ),
    "SelectFpr": classes(feature_selection.SelectFpr, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "SelectFdr": classes(feature_selection.SelectFdr, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "SelectFwe": classes(feature_selection.SelectFwe, *({"alpha": a} for a in (0.1, 0.5, 0.9))),
    "GenericUnivariateSelect": classes(
        feature_selection.GenericUnivariateSelect,
        *({"mode": "k_best", "param": k} for k in (1, 2, 3)),
    ),
    "SelectFromModel": classes(
        feature_selection.SelectFromModel,
        *({"estimator": logistic()}, {"estimator": stump()}),
        {"estimator": logistic(), "threshold": "0.5*mean"},
    ),
    "SequentialFeatureSelector": classes(
        feature_selection.SequentialFeatureSelector,
        *({"estimator": logistic(), "n_features_to_select": k, "cv": 2} for k in (1, 2, 1)),
    ),
}
"""Estimators with tables, by the name of their class."""
